"""A run may have facts: who made it, when, with what.

Revision: 0011
Revises: 0010
Created: 2026-11-29
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STAGE = "ck_condition_values_stage_known"


def upgrade() -> None:
    """Let a value be a fact, which is no condition."""
    _set_stages("stage IN ('proposed', 'actual', 'fact')")


def downgrade() -> None:
    """Forbid it again.

    Raises:
        RuntimeError: there are facts, which an older version would take for nothing it knows.
    """
    statement = sa.text("SELECT count(*) FROM condition_values WHERE stage = 'fact'")
    n = op.get_bind().execute(statement).scalar_one()
    if n:
        raise RuntimeError(f"{n} rows of condition_values are facts of runs: keep revision 0011")
    _set_stages("stage IN ('proposed', 'actual')")


def _set_stages(condition: str) -> None:
    # SQLite builds the table anew, and is to be told again that the key is the row's address.
    with op.batch_alter_table(
        "condition_values", table_kwargs={"sqlite_with_rowid": False}
    ) as batch:
        batch.drop_constraint(op.f(_STAGE), type_="check")
        batch.create_check_constraint(op.f(_STAGE), condition)
