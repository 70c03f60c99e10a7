"""Results and conditions can be taken back: a further revision that holds nothing.

Revision: 0007
Revises: 0006
Created: 2026-11-29
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_VALUE = "ck_measurements_value_or_retraction"
_CONTENT = "ck_condition_values_number_or_text"


def upgrade() -> None:
    """Let a value be absent from its second revision on."""
    with op.batch_alter_table("measurements") as batch:
        batch.alter_column("value", existing_type=sa.Double(), nullable=True)
        batch.create_check_constraint(op.f(_VALUE), "value IS NOT NULL OR revision > 1")
    _set_content(
        "(number IS NULL OR text IS NULL) "
        "AND (number IS NOT NULL OR text IS NOT NULL OR revision > 1)"
    )


def downgrade() -> None:
    """Forbid it again.

    Raises:
        RuntimeError: something was taken back; without its row it would count again.
    """
    for table, condition in (
        ("measurements", "value IS NULL"),
        ("condition_values", "number IS NULL AND text IS NULL"),
    ):
        statement = sa.text(f"SELECT count(*) FROM {table} WHERE {condition}")  # noqa: S608
        n = op.get_bind().execute(statement).scalar_one()
        if n:
            raise RuntimeError(f"{n} rows of {table} take something back: keep revision 0007")
    with op.batch_alter_table("measurements") as batch:
        batch.drop_constraint(op.f(_VALUE), type_="check")
        batch.alter_column("value", existing_type=sa.Double(), nullable=False)
    _set_content("(number IS NULL) <> (text IS NULL)")


def _set_content(condition: str) -> None:
    # SQLite builds the table anew, and is to be told again that the key is the row's address.
    with op.batch_alter_table(
        "condition_values", table_kwargs={"sqlite_with_rowid": False}
    ) as batch:
        batch.drop_constraint(op.f(_CONTENT), type_="check")
        batch.create_check_constraint(op.f(_CONTENT), condition)
