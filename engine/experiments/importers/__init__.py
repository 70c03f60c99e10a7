"""Files in, runs out: one module a format, and what becomes of the runs in the database.

    reading    bytes → text cells (CSV, TSV)          excel     the same from a workbook
    headings   text headings → campaign names         cells     text cells → numbers, choices, words
    table      a table mapped by the campaign         matmcl    MatMCL's published table and folder
    document   the JSON that ``engine export`` writes
    planning   runs against the database: new, longer, different, the same
    importing  the plan, in one transaction

A reader never stops at the first thing that is wrong: it collects every
:class:`~engine.errors.RowProblem` and refuses the file with all of them.
"""
