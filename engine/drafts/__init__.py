"""A campaign drafted from a table of results as somebody keeps it.

columns      headings and cells → what each column holds, its name and unit
roles        which columns are set, given by the room, measured, or to be left aside
ranges       values → bounds, steps, choices; columns that sum to a constant
wishes       objectives and corrections, in the words of ``strength:max:5``
draft        all of it together: a definition, and why it is so
config_text  the definition as a commented config.toml
create       the workspace made and the table imported, or nothing
add          a further campaign of a workspace, from a table or a template
"""
