"""Tensile curves: their samples by content, the specimens they are of, what was read off them.

Revision: 0009
Revises: 0008
Created: 2026-11-29
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.types import Json

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_LARGEST = "1.7976931348623157e308"
_GEOMETRY = ("width_mm", "thickness_mm", "gauge_mm", "area_mm2")


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "curve_arrays",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("n_points", sa.Integer(), nullable=False),
        sa.Column("channels", Json(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_curve_arrays_sha256_length")),
        sa.CheckConstraint("n_points > 0", name=op.f("ck_curve_arrays_n_points_positive")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_curve_arrays")),
    )
    op.create_table(
        "curves",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("direction", sa.String(), nullable=True),
        sa.Column("replicate", sa.Integer(), nullable=False),
        sa.Column("specimen", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("array_sha256", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("original_name", sa.String(), nullable=False),
        sa.Column("n_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reading", Json(), nullable=False),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_curves_sha256_length")),
        sa.CheckConstraint("n_bytes > 0", name=op.f("ck_curves_size_positive")),
        sa.CheckConstraint("replicate >= 1", name=op.f("ck_curves_replicate_positive")),
        sa.CheckConstraint("number >= 1", name=op.f("ck_curves_number_positive")),
        sa.ForeignKeyConstraint(
            ["array_sha256"], ["curve_arrays.sha256"], name=op.f("fk_curves_array_sha256")
        ),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f("fk_curves_change_id")),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_curves_experiment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_curves")),
        sa.UniqueConstraint(
            "experiment_id", "array_sha256", name=op.f("uq_curves_experiment_id_array_sha256")
        ),
    )
    for column in ("array_sha256", "sha256", "change_id"):
        op.create_index(op.f(f"ix_curves_{column}"), "curves", [column])
    op.create_table(
        "curve_fits",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("curve_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Double(), nullable=True) for name in _GEOMETRY),
        sa.Column("sources", Json(), nullable=False),
        sa.Column("definitions", Json(), nullable=False),
        sa.Column("results", Json(), nullable=True),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_curve_fits_revision_positive")),
        *(
            sa.CheckConstraint(f"{name} > 0", name=op.f(f"ck_curve_fits_{name}_positive"))
            for name in _GEOMETRY
        ),
        *(
            sa.CheckConstraint(
                f"{name} BETWEEN -{_LARGEST} AND {_LARGEST}",
                name=op.f(f"ck_curve_fits_{name}_finite"),
            )
            for name in _GEOMETRY
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_curve_fits_change_id")
        ),
        sa.ForeignKeyConstraint(["curve_id"], ["curves.id"], name=op.f("fk_curve_fits_curve_id")),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_curve_fits_experiment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_curve_fits")),
        sa.UniqueConstraint("curve_id", "revision", name=op.f("uq_curve_fits_curve_id_revision")),
    )
    op.create_index(op.f("ix_curve_fits_experiment_id_id"), "curve_fits", ["experiment_id", "id"])
    op.create_index(op.f("ix_curve_fits_change_id"), "curve_fits", ["change_id"])


def downgrade() -> None:
    """Remove them.

    Raises:
        RuntimeError: there are curves; their samples would be lost.
    """
    n = op.get_bind().execute(sa.text("SELECT count(*) FROM curves")).scalar_one()
    if n:
        raise RuntimeError(f"{n} tensile curves are recorded: keep revision 0009")
    for table in ("curve_fits", "curves", "curve_arrays"):
        op.drop_table(table)
