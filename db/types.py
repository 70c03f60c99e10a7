"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcDateTime(TypeDecorator[datetime]):
    """A moment, always with its time zone: stored in UTC, given back in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without time zone; turn the others to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"expected a moment with its time zone, got {value!r}; use UTC")
        value = value.astimezone(UTC)
        # SQLAlchemy's SQLite type writes a text without zone, and refuses none: the zone would just
        # be lost.
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say that what SQLite gives without a time zone is UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """A document: JSON text on SQLite, JSONB on PostgreSQL."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Take JSONB where there is one; its dialect is imported only there."""
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import JSONB

            # `none_as_null`: Python's None is SQL's NULL, not JSON's null, which IS NULL would not
            # find.
            # https://docs.sqlalchemy.org/en/20/core/type_basics.html#sqlalchemy.types.JSON.params.none_as_null
            return dialect.type_descriptor(JSONB(none_as_null=True))
        return dialect.type_descriptor(JSON(none_as_null=True))


class Singles(TypeDecorator[tuple[float, ...]]):
    """Numbers in single precision: their bytes on SQLite (little end first), REAL[] on PostgreSQL.

    PostgreSQL's own arrays become pgvector's vectors by a cast, and need no extension to be kept.
    """

    impl = LargeBinary
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Take an array where there is one."""
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import ARRAY, REAL

            return dialect.type_descriptor(ARRAY(REAL))
        return dialect.type_descriptor(LargeBinary())

    def process_bind_param(self, value: Sequence[float] | None, dialect: Dialect) -> Any:
        """Round to single precision."""
        if value is None:
            return None
        # First to single precision on both, so that a copy from one to the other compares as equal.
        numbers = array("f", value)
        return numbers.tolist() if dialect.name == "postgresql" else _turned(numbers).tobytes()

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[float, ...] | None:
        """Give them back; each is what single precision holds."""
        if value is None:
            return None
        if dialect.name == "postgresql":
            return tuple(array("f", value))  # the driver reads the shortest decimal
        numbers = array("f")
        numbers.frombytes(value)
        return tuple(_turned(numbers))


def _turned(numbers: array[float]) -> array[float]:
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
