"""What can go wrong with the database; each message ends with the command that mends it.

DatabaseError                  anything below; the command line exits with code 1
├── NotADatabaseError          the file is something else, or damaged; the server has none so named
├── SchemaMismatchError        the database is at another revision than this version needs
├── ReadOnlyDatabaseError      the file or its folder cannot be written, or the server only reads
├── DatabaseBusyError          another process held the write lock for longer than the timeout
├── CollisionError             another transaction came in the way; all of this one was taken back
├── ConflictError              a row would contradict one that is there (uniqueness, checks)
├── AccessDeniedError          wrong role or password, or a right that the role lacks
├── ServerUnreachableError     no server answers there
├── ConnectionLostError        the connection broke in the middle; nothing was written
└── OutcomeUnknownError        it broke during the commit, and the server could not be asked since
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


class CollisionError(DatabaseError):
    """Another transaction came in the way; this one was taken back whole and may be tried again."""


class ConflictError(DatabaseError):
    """A row contradicts one that is there."""


class AccessDeniedError(DatabaseError):
    """The server refuses the role, its password, or what it asked for."""


class ServerUnreachableError(DatabaseError):
    """No server answers at that place."""


class ConnectionLostError(DatabaseError):
    """The connection broke before anything was committed; it may be tried again."""


class OutcomeUnknownError(DatabaseError):
    """The connection broke during the commit, and nobody could say since what became of it."""
