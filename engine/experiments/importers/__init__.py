"""Files in, runs out: one module a format, and what becomes of the runs in the database.

    reading    bytes → text cells (CSV, TSV)          excel     the same from a workbook
    headings   text headings → campaign names         cells     text cells → numbers, choices, words
    layout     titles, units, comments around a table
    number_styles  1.234,5 and 1,028.00, column by column
    formula_text   text that a spreadsheet would compute
    formats    which of the readers takes a file
    table      a table mapped by the campaign         matmcl    MatMCL's published table and folder
    document   the JSON that ``engine export`` writes
    planning   runs against the database: new, longer, different, the same
    importing  the plan, in one transaction

A reader never stops at the first thing that is wrong: it collects every
:class:`~engine.errors.RowProblem` and refuses the file with all of them.
"""
