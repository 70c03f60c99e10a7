"""Previews: pictures of the mat to expect, said before the run was made.

Revision: 0005
Revises: 0004
Created: 2026-11-25
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.types import Json

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_REFERENCES = {
    "batch_id": "batches",
    "campaign_id": "campaigns",
    "change_id": "changes",
    "experiment_id": "experiments",
    "model_version_id": "model_versions",
}


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "previews",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=True),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("model_version_id", sa.Integer(), nullable=True),
        sa.Column("generator", sa.String(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("n_pictures", sa.Integer(), nullable=False),
        sa.Column("request", Json(), nullable=False),
        sa.Column("level", sa.Double(), nullable=False),
        sa.Column("statistics", Json(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.CheckConstraint("n_pictures >= 1", name=op.f("ck_previews_n_pictures_positive")),
        sa.CheckConstraint("level > 0 AND level < 1", name=op.f("ck_previews_level_is_coverage")),
        sa.CheckConstraint(
            "length(sha256) = 64 AND length(generator) = 64",
            name=op.f("ck_previews_sha256_length"),
        ),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_previews_{column}"))
            for column, table in _REFERENCES.items()
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_previews")),
    )
    for column in ("campaign_id", "experiment_id"):
        op.create_index(op.f(f"ix_previews_{column}"), "previews", [column], unique=False)


def downgrade() -> None:
    """Take the table away again."""
    op.drop_table("previews")
