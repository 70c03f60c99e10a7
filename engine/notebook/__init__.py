"""The engine from Python: data frames in and out, the same functions and the same database.

``import engine`` offers the names of this folder (see ``engine/__init__.pyi``).
"""
