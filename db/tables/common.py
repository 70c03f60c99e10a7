"""What tables share: one metadata, ids and changes, and rules on columns."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Integer,
    MetaData,
    Named,
    TypedColumns,
)

# Every constraint has a name: SQLite gives none, Alembic could then not drop it, and `db.translate`
# looks up by it what a refusal means.
# https://alembic.sqlalchemy.org/en/latest/naming.html
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

# The largest double (`sys.float_info.max`) in digits that both databases read.
_LARGEST = "1.7976931348623157e308"


def one_of(column: str, values: type[StrEnum] | Iterable[str]) -> CheckConstraint:
    """Return the rule that ``column`` holds one of these words."""
    names = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({names})", name=f"{column}_known")


def finite(column: str) -> CheckConstraint:
    """Return the rule that ``column`` holds a number, neither infinite nor NaN."""
    # NULL passes, as in every CHECK; SQLite stores NaN as NULL, PostgreSQL sorts it above all.
    return CheckConstraint(f"{column} BETWEEN -{_LARGEST} AND {_LARGEST}", name=f"{column}_finite")


def check(name: str, condition: str) -> CheckConstraint:
    """Return the rule ``condition``, called ``name``."""
    return CheckConstraint(condition, name=name)


class WithId(TypedColumns):
    """Rows counted by the database."""

    id: Named[int] = Column(Integer, primary_key=True)


class WithChange(WithId):
    """Rows that carry the change which wrote them."""

    change_id: Named[int] = Column(ForeignKey("changes.id"))


def in_its_campaign() -> ForeignKeyConstraint:
    """Return the rule that a row's revision is one of its own campaign."""
    return ForeignKeyConstraint(
        ["campaign_id", "revision_id"], ["campaign_revisions.campaign_id", "campaign_revisions.id"]
    )
