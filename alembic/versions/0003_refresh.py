"""Refresh: what the registry, the leases and the schedule need.

Revision: 0003
Revises: 0002
Created: 2026-11-25
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.types import Json, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KINDS = "kind IN ('surrogate', 'generator')"
_OLD_STATUS = "status IN ('candidate', 'champion', 'retired')"
_NEW_STATUS = "status IN ('candidate', 'champion', 'retired', 'rejected')"
_OLD_OUTCOME = "outcome IN ('running', 'promoted', 'rejected', 'failed')"
_NEW_OUTCOME = "outcome IN ('running', 'promoted', 'rejected', 'failed', 'interrupted')"
_CHAMPION = sa.text("status = 'champion'")


def upgrade() -> None:
    """Add the columns, make the tables, and tell which versions have served."""
    with op.batch_alter_table("model_versions", copy_from=_model_versions(_OLD_STATUS)) as batch:
        batch.add_column(sa.Column("config", Json(), nullable=True))
        batch.add_column(sa.Column("seed", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("versions", Json(), nullable=True))
        batch.add_column(sa.Column("pruned_change_id", sa.Integer(), nullable=True))
        batch.create_foreign_key(
            op.f("fk_model_versions_pruned_change_id"), "changes", ["pruned_change_id"], ["id"]
        )
        batch.drop_constraint(op.f("ck_model_versions_status_known"), type_="check")
        batch.create_check_constraint(op.f("ck_model_versions_status_known"), sa.text(_NEW_STATUS))
    with op.batch_alter_table("refresh_runs", copy_from=_refresh_runs(_OLD_OUTCOME)) as batch:
        batch.add_column(
            sa.Column("kind", sa.String(), server_default=sa.text("'surrogate'"), nullable=False)
        )
        batch.add_column(sa.Column("watermark", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("report", Json(), nullable=True))
        batch.create_check_constraint(op.f("ck_refresh_runs_kind_known"), sa.text(_KINDS))
        batch.drop_constraint(op.f("ck_refresh_runs_outcome_known"), type_="check")
        batch.create_check_constraint(op.f("ck_refresh_runs_outcome_known"), sa.text(_NEW_OUTCOME))
    for table in ("measurements", "micrographs"):
        op.create_index(op.f(f"ix_{table}_change_id"), table, ["change_id"], unique=False)
    _make_promotions()
    _make_schedule()


def downgrade() -> None:
    """Take tables and columns away; what was rejected counts as retired, interrupted as failed."""
    for table in ("job_runs", "scheduled_jobs", "leases", "promotions"):
        op.drop_table(table)
    for table in ("measurements", "micrographs"):
        op.drop_index(op.f(f"ix_{table}_change_id"), table_name=table)
    op.execute("UPDATE refresh_runs SET outcome = 'failed' WHERE outcome = 'interrupted'")
    op.execute("UPDATE model_versions SET status = 'retired' WHERE status = 'rejected'")
    newer = _refresh_runs(
        _NEW_OUTCOME,
        sa.Column("kind", sa.String(), server_default=sa.text("'surrogate'"), nullable=False),
        sa.Column("watermark", sa.Integer(), nullable=True),
        sa.Column("report", Json(), nullable=True),
        sa.CheckConstraint(_KINDS, name=op.f("ck_refresh_runs_kind_known")),
    )
    with op.batch_alter_table("refresh_runs", copy_from=newer) as batch:
        batch.drop_constraint(op.f("ck_refresh_runs_outcome_known"), type_="check")
        batch.create_check_constraint(op.f("ck_refresh_runs_outcome_known"), sa.text(_OLD_OUTCOME))
        batch.drop_constraint(op.f("ck_refresh_runs_kind_known"), type_="check")
        for column in ("report", "watermark", "kind"):
            batch.drop_column(column)
    newer = _model_versions(
        _NEW_STATUS,
        sa.Column("config", Json(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("versions", Json(), nullable=True),
        sa.Column("pruned_change_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["pruned_change_id"], ["changes.id"], name=op.f("fk_model_versions_pruned_change_id")
        ),
    )
    with op.batch_alter_table("model_versions", copy_from=newer) as batch:
        batch.drop_constraint(op.f("ck_model_versions_status_known"), type_="check")
        batch.create_check_constraint(op.f("ck_model_versions_status_known"), sa.text(_OLD_STATUS))
        batch.drop_constraint(op.f("fk_model_versions_pruned_change_id"), type_="foreignkey")
        for column in ("pruned_change_id", "versions", "seed", "config"):
            batch.drop_column(column)


def _make_promotions() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(_KINDS, name=op.f("ck_promotions_kind_known")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_promotions_campaign_id")
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_promotions_change_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_versions.id"],
            name=op.f("fk_promotions_model_version_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotions")),
    )
    op.create_index(
        op.f("ix_promotions_campaign_id_kind"), "promotions", ["campaign_id", "kind"], unique=False
    )
    # Until now each version served from the moment it was recorded.
    op.execute(
        "INSERT INTO promotions (change_id, campaign_id, kind, model_version_id) "
        "SELECT change_id, campaign_id, kind, id FROM model_versions "
        "WHERE status IN ('champion', 'retired') ORDER BY status = 'champion', id"
    )


def _make_schedule() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("beats", sa.BigInteger(), nullable=False),
        sa.Column("acquired_at", UtcDateTime(), nullable=False),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=False),
        sa.Column("ttl_s", sa.Double(), nullable=False),
        sa.CheckConstraint("ttl_s > 0", name=op.f("ck_leases_ttl_positive")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "scheduled_jobs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("next_run_at", UtcDateTime(), nullable=True),
        sa.Column("definition", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scheduled_jobs")),
    )
    op.create_index(
        op.f("ix_scheduled_jobs_next_run_at"), "scheduled_jobs", ["next_run_at"], unique=False
    )
    op.create_table(
        "job_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(outcome = 'running') = (finished_at IS NULL)",
            name=op.f("ck_job_runs_finished_unless_running"),
        ),
        sa.CheckConstraint(
            "outcome IN ('running', 'done', 'failed', 'interrupted')",
            name=op.f("ck_job_runs_outcome_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_runs")),
        sa.UniqueConstraint("job_id", "due_at", name=op.f("uq_job_runs_job_id_due_at")),
    )


def _model_versions(status: str, *more: sa.schema.SchemaItem) -> sa.Table:
    """Return the table as it is told to SQLite, which builds it anew."""
    table = sa.Table(
        "model_versions",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("artifact_path", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("watermark", sa.Integer(), nullable=False),
        sa.Column("metrics", Json(), nullable=False),
        sa.CheckConstraint(_KINDS, name=op.f("ck_model_versions_kind_known")),
        sa.CheckConstraint(status, name=op.f("ck_model_versions_status_known")),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_model_versions_sha256_length")),
        sa.CheckConstraint("watermark >= 0", name=op.f("ck_model_versions_watermark_positive")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_model_versions_campaign_id")
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_model_versions_change_id")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["model_versions.id"], name=op.f("fk_model_versions_parent_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_versions")),
        *more,
    )
    sa.Index(op.f("ix_model_versions_campaign_id_kind"), table.c.campaign_id, table.c.kind)
    sa.Index(
        "uq_model_versions_champion",
        table.c.campaign_id,
        table.c.kind,
        unique=True,
        sqlite_where=_CHAMPION,
        postgresql_where=_CHAMPION,
    )
    return table


def _refresh_runs(outcome: str, *more: sa.schema.SchemaItem) -> sa.Table:
    table = sa.Table(
        "refresh_runs",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("log", sa.Text(), nullable=True),
        sa.Column("model_version_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(outcome = 'running') = (finished_at IS NULL)",
            name=op.f("ck_refresh_runs_finished_unless_running"),
        ),
        sa.CheckConstraint(outcome, name=op.f("ck_refresh_runs_outcome_known")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_refresh_runs_campaign_id")
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_refresh_runs_change_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_versions.id"],
            name=op.f("fk_refresh_runs_model_version_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refresh_runs")),
        *more,
    )
    sa.Index(op.f("ix_refresh_runs_campaign_id"), table.c.campaign_id)
    return table
