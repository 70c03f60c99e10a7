"""A measured value may be a limit that it lies beyond, or a mean with its scatter.

Revision: 0008
Revises: 0007
Created: 2026-11-29
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_CHECKS = {
    "bound_known": "bound IN ('below', 'above')",
    "sd_finite": "sd BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308",
    "sd_not_negative": "sd >= 0",
    "n_positive": "n >= 1",
}


def upgrade() -> None:
    """Add what is known of a value beside its number."""
    with op.batch_alter_table("measurements") as batch:
        batch.add_column(sa.Column("bound", sa.String(), nullable=True))
        batch.add_column(sa.Column("sd", sa.Double(), nullable=True))
        batch.add_column(sa.Column("n", sa.Integer(), nullable=True))
        for name, condition in _CHECKS.items():
            batch.create_check_constraint(op.f(f"ck_measurements_{name}"), condition)


def downgrade() -> None:
    """Drop it again.

    Raises:
        RuntimeError: a value lies beyond a limit; without its mark it would count as measured.
    """
    statement = sa.text("SELECT count(*) FROM measurements WHERE bound IS NOT NULL")
    n = op.get_bind().execute(statement).scalar_one()
    if n:
        raise RuntimeError(f"{n} measurements lie beyond a limit: keep revision 0008")
    with op.batch_alter_table("measurements") as batch:
        for name in _CHECKS:
            batch.drop_constraint(op.f(f"ck_measurements_{name}"), type_="check")
        for name in ("n", "sd", "bound"):
            batch.drop_column(name)
