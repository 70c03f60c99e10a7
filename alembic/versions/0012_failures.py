"""The kinds of failure are the campaign's: the column holds any word of bounded length.

Revision: 0012
Revises: 0011
Created: 2026-11-30
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TABLES = ("experiments", "status_changes")
_FORMER = "failure IN ('beads', 'drips', 'no_jet', 'other')"
_BOUNDED = "length(failure) BETWEEN 1 AND 80"


def upgrade() -> None:
    """Let a failure be of any kind that a campaign names."""
    for table in _TABLES:
        _replace(table, "failure_known", "failure_bounded", _BOUNDED)


def downgrade() -> None:
    """Allow the four kinds of spinning only.

    Raises:
        RuntimeError: a run failed in another way, which an older version does not know.
    """
    for table in _TABLES:
        statement = sa.text(f"SELECT count(*) FROM {table} WHERE NOT ({_FORMER})")  # noqa: S608
        n = op.get_bind().execute(statement).scalar_one()
        if n:
            raise RuntimeError(
                f"{n} rows of {table} are failures of another kind than beads, drips, no_jet and "
                "other: keep revision 0012"
            )
    for table in _TABLES:
        _replace(table, "failure_bounded", "failure_known", _FORMER)


def _replace(table: str, former: str, name: str, condition: str) -> None:
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(op.f(f"ck_{table}_{former}"), type_="check")
        batch.create_check_constraint(op.f(f"ck_{table}_{name}"), condition)
