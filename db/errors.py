"""What can go wrong with the database; each message ends with the command that mends it.

DatabaseError                  anything below; the command line exits with code 1
├── NotADatabaseError          the file is something else, or damaged
├── SchemaMismatchError        the database is at another revision than this version needs
├── ReadOnlyDatabaseError      the file or its folder cannot be written
├── DatabaseBusyError          another process held the write lock for longer than the timeout
└── ConflictError              a row would contradict one that is there (uniqueness, checks)
"""

from __future__ import annotations


class DatabaseError(Exception):
    """The database could not do what was asked."""


class NotADatabaseError(DatabaseError):
    """The file is not a database, or is damaged."""


class SchemaMismatchError(DatabaseError):
    """The database is at another revision than this version needs."""


class ReadOnlyDatabaseError(DatabaseError):
    """The database cannot be written."""


class DatabaseBusyError(DatabaseError):
    """Another process held the write lock for longer than the busy timeout."""


class ConflictError(DatabaseError):
    """A row contradicts one that is there."""
