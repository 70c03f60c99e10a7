"""Sources: what models are pretrained on besides.

Revision: 0002
Revises: 0001
Created: 2026-11-23
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.types import Json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_IN_USE = sa.text("removed_change_id IS NULL")
_OF_ALL = sa.text("removed_change_id IS NULL AND campaign_id IS NULL")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("definition", Json(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("removed_change_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('campaign', 'database', 'table', 'matmcl', 'simulated')",
            name=op.f("ck_sources_kind_known"),
        ),
        sa.CheckConstraint("length(name) > 0", name=op.f("ck_sources_name_given")),
        sa.CheckConstraint("length(fingerprint) = 64", name=op.f("ck_sources_fingerprint_length")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_sources_campaign_id")
        ),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f("fk_sources_change_id")),
        sa.ForeignKeyConstraint(
            ["removed_change_id"], ["changes.id"], name=op.f("fk_sources_removed_change_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
    )
    op.create_index(
        "uq_sources_campaign_id_name",
        "sources",
        ["campaign_id", "name"],
        unique=True,
        sqlite_where=_IN_USE,
        postgresql_where=_IN_USE,
    )
    op.create_index(
        "uq_sources_name_of_all",
        "sources",
        ["name"],
        unique=True,
        sqlite_where=_OF_ALL,
        postgresql_where=_OF_ALL,
    )


def downgrade() -> None:
    """Take the table away again."""
    op.drop_table("sources")
