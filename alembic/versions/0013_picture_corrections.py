"""What a person corrects by hand on a picture, and takes back: a row each.

Revision: 0013
Revises: 0012
Created: 2026-11-30
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.types import Json

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_LARGEST = "1.7976931348623157e308"
_LENGTHS = ("x", "y", "x_to", "y_to", "length_nm")


def upgrade() -> None:
    """Make the table."""
    name = "picture_corrections"
    op.create_table(
        name,
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("micrograph_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("x", sa.Double(), nullable=False),
        sa.Column("y", sa.Double(), nullable=False),
        sa.Column("x_to", sa.Double(), nullable=True),
        sa.Column("y_to", sa.Double(), nullable=True),
        sa.Column("length_nm", sa.Double(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("undoes_id", sa.Integer(), nullable=True),
        sa.Column("former", Json(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('exclude', 'scale', 'delete', 'add')", name=op.f(f"ck_{name}_kind_known")
        ),
        sa.CheckConstraint(
            "(x_to IS NULL) = (y_to IS NULL) AND (x_to IS NULL) = (kind = 'delete')",
            name=op.f(f"ck_{name}_second_place"),
        ),
        sa.CheckConstraint(
            "(length_nm IS NULL) = (kind <> 'scale')", name=op.f(f"ck_{name}_length_of_scale")
        ),
        sa.CheckConstraint("length_nm > 0", name=op.f(f"ck_{name}_length_nm_positive")),
        *(
            sa.CheckConstraint(
                f"{column} BETWEEN -{_LARGEST} AND {_LARGEST}",
                name=op.f(f"ck_{name}_{column}_finite"),
            )
            for column in _LENGTHS
        ),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f(f"fk_{name}_change_id")),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f(f"fk_{name}_experiment_id")
        ),
        sa.ForeignKeyConstraint(
            ["micrograph_id"], ["micrographs.id"], name=op.f(f"fk_{name}_micrograph_id")
        ),
        sa.ForeignKeyConstraint(["undoes_id"], [f"{name}.id"], name=op.f(f"fk_{name}_undoes_id")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
        sa.UniqueConstraint("undoes_id", name=op.f(f"uq_{name}_undoes_id")),
    )
    op.create_index(op.f(f"ix_{name}_micrograph_id_id"), name, ["micrograph_id", "id"])
    op.create_index(op.f(f"ix_{name}_experiment_id"), name, ["experiment_id"])
    op.create_index(op.f(f"ix_{name}_change_id"), name, ["change_id"])


def downgrade() -> None:
    """Drop it again.

    Raises:
        RuntimeError: a picture was corrected; its statistics would stand without their reason.
    """
    n = op.get_bind().execute(sa.text("SELECT count(*) FROM picture_corrections")).scalar_one()
    if n:
        raise RuntimeError(f"{n} rows of picture_corrections correct pictures: keep revision 0013")
    op.drop_table("picture_corrections")
