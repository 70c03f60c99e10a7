"""Embeddings of micrographs, and pgvector where the server has it.

Revision: 0006
Revises: 0005
Created: 2026-11-25
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.types import Singles

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# Where the role may not, an owner can say `CREATE EXTENSION vector` at any later time.
_LET_THE_SERVER_SEARCH = """
DO $$
BEGIN
  IF EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector') THEN
    CREATE EXTENSION IF NOT EXISTS vector;
  END IF;
EXCEPTION WHEN OTHERS THEN
  RAISE NOTICE 'embeddings are searched in memory: %', SQLERRM;
END $$
"""


def upgrade() -> None:
    """Make the table; let the server search it, if it can and the role may say so."""
    op.create_table(
        "embeddings",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("picture", sa.String(), nullable=False),
        sa.Column("vector", Singles(), nullable=False),
        sa.CheckConstraint(
            "length(model) = 64 AND length(picture) = 64",
            name=op.f("ck_embeddings_sha256_length"),
        ),
        sa.PrimaryKeyConstraint("model", "picture", name=op.f("pk_embeddings")),
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(_LET_THE_SERVER_SEARCH)


def downgrade() -> None:
    """Take the table away again; the extension may serve others."""
    op.drop_table("embeddings")
