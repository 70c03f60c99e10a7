"""Spinneret's engine: campaigns, the proposal loop, importers, the virtual lab, the command line.

The only package that knows the other three (``surrogate``, ``generator``, ``db``).
Importing it loads neither torch nor SQLAlchemy.
"""

__version__ = "0.1.0"
