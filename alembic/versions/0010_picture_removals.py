"""A picture can be taken away from a run, with a reason, and put back: a row each.

Revision: 0010
Revises: 0009
Created: 2026-11-29
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "picture_removals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("micrograph_id", sa.Integer(), nullable=False),
        sa.Column("is_removed", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_picture_removals_change_id")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_picture_removals_experiment_id")
        ),
        sa.ForeignKeyConstraint(
            ["micrograph_id"], ["micrographs.id"], name=op.f("fk_picture_removals_micrograph_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_picture_removals")),
    )
    op.create_index(
        op.f("ix_picture_removals_micrograph_id_id"),
        "picture_removals",
        ["micrograph_id", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_picture_removals_experiment_id"), "picture_removals", ["experiment_id"]
    )


def downgrade() -> None:
    """Drop it again.

    Raises:
        RuntimeError: a picture was removed; without its row it would count again.
    """
    n = op.get_bind().execute(sa.text("SELECT count(*) FROM picture_removals")).scalar_one()
    if n:
        raise RuntimeError(f"{n} rows of picture_removals take pictures away: keep revision 0010")
    op.drop_table("picture_removals")
