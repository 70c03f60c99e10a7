"""The revisions of the schema that this version knows, oldest first; the last is the one it needs.

Kept here as plain text so that opening a database imports no migration tool; a test holds it
against the migrations themselves.
"""

from __future__ import annotations

REVISIONS = ("0006", "0007", "0008", "0009", "0010", "0011", "0012", "0013")
HEAD = REVISIONS[-1]
# Of databases made while 0.1.0 was not out yet: their migrations are gone.
UNRELEASED = frozenset({"0001", "0002", "0003", "0004", "0005"})
