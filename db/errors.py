"""What can go wrong with the database: a sentence, and apart from it the command that mends it.

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

A page or an API has no commands, and tells nobody where the server keeps its files: ``str()`` is
the sentence alone, with the last name of each place. The command line shows all:

>>> path = "/lab/mats.db"
>>> error = DatabaseError(f"{path} is locked.", mend="Run the command again.", place=path)
>>> str(error)
'mats.db is locked.'
>>> error.worded("cli")
'/lab/mats.db is locked. Run the command again.'
"""

from __future__ import annotations

from pathlib import Path


class DatabaseError(Exception):
    """The database could not do what was asked.

    Args:
        sentence: what was expected and what came.
        mend: what mends it at the command line; may hold commands and paths.
        place: the file, or the URL without a password, that the sentence names; or several.
    """

    def __init__(
        self, sentence: str, *, mend: str = "", place: str | Path | tuple[str | Path, ...] = ()
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.mend = mend
        self.places = tuple(map(str, place if isinstance(place, tuple) else (place,)))

    def __str__(self) -> str:
        """Return the sentence without commands and without folders."""
        return self.worded("api")

    def worded(self, voice: str) -> str:
        """Return the message as the command line (``cli``), a page or an API words it."""
        if voice == "cli":
            joint = " " if self.sentence.endswith((".", "?")) else ": "
            return f"{self.sentence}{joint}{self.mend}" if self.mend else self.sentence
        text = self.sentence
        for place in sorted(self.places, key=len, reverse=True):
            text = text.replace(place, _last_name(place))
        return text


def _last_name(place: str) -> str:
    """Return a file's name, or the database's in a URL, whose query may hold folders too."""
    return place.partition("?")[0].rpartition("/")[2] or "the database"


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
