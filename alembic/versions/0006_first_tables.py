"""The first tables: the schema of 0.1.0.

Revision: 0006
Revises: none
Created: 2026-11-28
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from db.types import Json, Singles, UtcDateTime

# Not 0001: while 0.1.0 was in the making its schema grew in six steps, and a database from then
# that went through all six is equal to one made here. It is at "0006" and opens unchanged.
revision = "0006"
down_revision = None
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
    """Make every table; let the server search embeddings, if it can and the role may say so."""
    op.create_table(
        "answers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", Json(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
        sa.UniqueConstraint("actor", "key", name=op.f("uq_answers_actor_key")),
    )
    op.create_index(op.f("ix_answers_at"), "answers", ["at"], unique=False)
    op.create_table(
        "changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
    )
    op.create_table(
        "embeddings",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("picture", sa.String(), nullable=False),
        sa.Column("vector", Singles(), nullable=False),
        sa.CheckConstraint(
            "length(model) = 64 AND length(picture) = 64", name=op.f("ck_embeddings_sha256_length")
        ),
        sa.PrimaryKeyConstraint("model", "picture", name=op.f("pk_embeddings")),
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
        "campaigns",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column(
            "is_active", sa.Boolean(create_constraint=True, name="is_active"), nullable=False
        ),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f("fk_campaigns_change_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaigns")),
        sa.UniqueConstraint("name", name=op.f("uq_campaigns_name")),
    )
    op.create_index(
        "uq_campaigns_active",
        "campaigns",
        ["is_active"],
        unique=True,
        sqlite_where=sa.text("is_active"),
        postgresql_where=sa.text("is_active"),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("removed_change_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "role IN ('viewer', 'operator', 'admin')", name=op.f("ck_users_role_known")
        ),
        sa.CheckConstraint("length(name) > 0", name=op.f("ck_users_name_given")),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f("fk_users_change_id")),
        sa.ForeignKeyConstraint(
            ["removed_change_id"], ["changes.id"], name=op.f("fk_users_removed_change_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )
    op.create_table(
        "campaign_revisions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("definition", Json(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_campaign_revisions_revision_positive")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_campaign_revisions_campaign_id")
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_campaign_revisions_change_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign_revisions")),
        sa.UniqueConstraint("campaign_id", "id", name=op.f("uq_campaign_revisions_campaign_id_id")),
        sa.UniqueConstraint(
            "campaign_id", "revision", name=op.f("uq_campaign_revisions_campaign_id_revision")
        ),
    )
    op.create_table(
        "model_versions",
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
        sa.Column("config", Json(), nullable=True),
        sa.Column("seed", sa.BigInteger(), nullable=True),
        sa.Column("versions", Json(), nullable=True),
        sa.Column("pruned_change_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('surrogate', 'generator')", name=op.f("ck_model_versions_kind_known")
        ),
        sa.CheckConstraint(
            "status IN ('candidate', 'champion', 'retired', 'rejected')",
            name=op.f("ck_model_versions_status_known"),
        ),
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
        sa.ForeignKeyConstraint(
            ["pruned_change_id"], ["changes.id"], name=op.f("fk_model_versions_pruned_change_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_versions")),
    )
    op.create_index(
        op.f("ix_model_versions_campaign_id_kind"),
        "model_versions",
        ["campaign_id", "kind"],
        unique=False,
    )
    op.create_index(
        "uq_model_versions_champion",
        "model_versions",
        ["campaign_id", "kind"],
        unique=True,
        sqlite_where=sa.text("status = 'champion'"),
        postgresql_where=sa.text("status = 'champion'"),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("length(token_hash) = 64", name=op.f("ck_sessions_token_hash_length")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_sessions_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sessions")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_sessions_token_hash")),
    )
    op.create_index(op.f("ix_sessions_user_id"), "sessions", ["user_id"], unique=False)
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
        sa.CheckConstraint("length(fingerprint) = 64", name=op.f("ck_sources_fingerprint_length")),
        sa.CheckConstraint("length(name) > 0", name=op.f("ck_sources_name_given")),
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
        sqlite_where=sa.text("removed_change_id IS NULL"),
        postgresql_where=sa.text("removed_change_id IS NULL"),
    )
    op.create_index(
        "uq_sources_name_of_all",
        "sources",
        ["name"],
        unique=True,
        sqlite_where=sa.text("removed_change_id IS NULL AND campaign_id IS NULL"),
        postgresql_where=sa.text("removed_change_id IS NULL AND campaign_id IS NULL"),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("params", Json(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("fraction", sa.Double(), nullable=True),
        sa.Column("result", Json(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column(
            "is_cancelled", sa.Boolean(create_constraint=True, name="is_cancelled"), nullable=False
        ),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("heartbeat_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("rerun_of", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')",
            name=op.f("ck_tasks_status_known"),
        ),
        sa.CheckConstraint("fraction BETWEEN 0 AND 1", name=op.f("ck_tasks_fraction_is_share")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_tasks_campaign_id")
        ),
        sa.ForeignKeyConstraint(["rerun_of"], ["tasks.id"], name=op.f("fk_tasks_rerun_of")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    op.create_index(op.f("ix_tasks_status_kind"), "tasks", ["status", "kind"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_change_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "scope IN ('viewer', 'operator', 'admin')", name=op.f("ck_tokens_scope_known")
        ),
        sa.CheckConstraint("length(name) > 0", name=op.f("ck_tokens_name_given")),
        sa.CheckConstraint("length(token_hash) = 64", name=op.f("ck_tokens_token_hash_length")),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f("fk_tokens_change_id")),
        sa.ForeignKeyConstraint(
            ["revoked_change_id"], ["changes.id"], name=op.f("fk_tokens_revoked_change_id")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_tokens_token_hash")),
    )
    op.create_index(op.f("ix_tokens_user_id"), "tokens", ["user_id"], unique=False)
    op.create_table(
        "batches",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("revision_id", sa.Integer(), nullable=False),
        sa.Column("strategy", sa.String(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("request", Json(), nullable=False),
        sa.Column("watermark", sa.Integer(), nullable=False),
        sa.Column("versions", Json(), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("watermark >= 0", name=op.f("ck_batches_watermark_positive")),
        sa.ForeignKeyConstraint(
            ["campaign_id", "revision_id"],
            ["campaign_revisions.campaign_id", "campaign_revisions.id"],
            name=op.f("fk_batches_campaign_id_revision_id"),
        ),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f("fk_batches_change_id")),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_versions.id"], name=op.f("fk_batches_model_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    op.create_index(op.f("ix_batches_campaign_id"), "batches", ["campaign_id"], unique=False)
    op.create_table(
        "experiments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("revision_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(), nullable=True),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status = 'failed') = (failure IS NOT NULL)",
            name=op.f("ck_experiments_failure_iff_failed"),
        ),
        sa.CheckConstraint(
            "failure IN ('beads', 'drips', 'no_jet', 'other')",
            name=op.f("ck_experiments_failure_known"),
        ),
        sa.CheckConstraint(
            "origin IN ('proposal', 'manual', 'import')", name=op.f("ck_experiments_origin_known")
        ),
        sa.CheckConstraint(
            "status IN ('proposed', 'running', 'completed', 'failed', 'abandoned')",
            name=op.f("ck_experiments_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "revision_id"],
            ["campaign_revisions.campaign_id", "campaign_revisions.id"],
            name=op.f("fk_experiments_campaign_id_revision_id"),
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_experiments_change_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_experiments")),
        sa.UniqueConstraint("campaign_id", "label", name=op.f("uq_experiments_campaign_id_label")),
    )
    op.create_index(
        op.f("ix_experiments_campaign_id_id"), "experiments", ["campaign_id", "id"], unique=False
    )
    op.create_index(
        op.f("ix_experiments_campaign_id_status"),
        "experiments",
        ["campaign_id", "status"],
        unique=False,
    )
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("model_version_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('surrogate', 'generator')", name=op.f("ck_promotions_kind_known")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_promotions_campaign_id")
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_promotions_change_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_versions.id"], name=op.f("fk_promotions_model_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotions")),
    )
    op.create_index(
        op.f("ix_promotions_campaign_id_kind"), "promotions", ["campaign_id", "kind"], unique=False
    )
    op.create_table(
        "refresh_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("log", sa.Text(), nullable=True),
        sa.Column("model_version_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(), server_default=sa.text("'surrogate'"), nullable=False),
        sa.Column("watermark", sa.Integer(), nullable=True),
        sa.Column("report", Json(), nullable=True),
        sa.CheckConstraint(
            "(outcome = 'running') = (finished_at IS NULL)",
            name=op.f("ck_refresh_runs_finished_unless_running"),
        ),
        sa.CheckConstraint(
            "kind IN ('surrogate', 'generator')", name=op.f("ck_refresh_runs_kind_known")
        ),
        sa.CheckConstraint(
            "outcome IN ('running', 'promoted', 'rejected', 'failed', 'interrupted')",
            name=op.f("ck_refresh_runs_outcome_known"),
        ),
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
    )
    op.create_index(
        op.f("ix_refresh_runs_campaign_id"), "refresh_runs", ["campaign_id"], unique=False
    )
    op.create_table(
        "condition_values",
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("parameter", sa.String(), nullable=False),
        sa.Column("stage", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "stage IN ('proposed', 'actual')", name=op.f("ck_condition_values_stage_known")
        ),
        sa.CheckConstraint(
            "(number IS NULL) <> (text IS NULL)", name=op.f("ck_condition_values_number_or_text")
        ),
        sa.CheckConstraint(
            "number BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308",
            name=op.f("ck_condition_values_number_finite"),
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_condition_values_revision_positive")),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_condition_values_change_id")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_condition_values_experiment_id")
        ),
        sa.PrimaryKeyConstraint(
            "experiment_id", "parameter", "stage", "revision", name=op.f("pk_condition_values")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "measurements",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("replicate", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("supersedes_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(revision = 1) = (supersedes_id IS NULL)",
            name=op.f("ck_measurements_first_supersedes_nothing"),
        ),
        sa.CheckConstraint("replicate >= 1", name=op.f("ck_measurements_replicate_positive")),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_measurements_revision_positive")),
        sa.CheckConstraint(
            "value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308",
            name=op.f("ck_measurements_value_finite"),
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_measurements_change_id")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_measurements_experiment_id")
        ),
        sa.ForeignKeyConstraint(
            ["supersedes_id"], ["measurements.id"], name=op.f("fk_measurements_supersedes_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurements")),
        sa.UniqueConstraint(
            "experiment_id",
            "outcome",
            "replicate",
            "revision",
            name=op.f("uq_measurements_experiment_id_outcome_replicate_revision"),
        ),
        sa.UniqueConstraint("supersedes_id", name=op.f("uq_measurements_supersedes_id")),
    )
    op.create_index(op.f("ix_measurements_change_id"), "measurements", ["change_id"], unique=False)
    op.create_table(
        "micrographs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("original_name", sa.String(), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("n_bytes", sa.BigInteger(), nullable=False),
        sa.Column("nm_per_pixel", sa.Double(), nullable=True),
        sa.Column("nm_per_pixel_source", sa.String(), nullable=True),
        sa.Column("rotation_axis", sa.String(), nullable=True),
        sa.Column("crop_left", sa.Integer(), nullable=True),
        sa.Column("crop_top", sa.Integer(), nullable=True),
        sa.Column("crop_right", sa.Integer(), nullable=True),
        sa.Column("crop_bottom", sa.Integer(), nullable=True),
        sa.Column("statistics", Json(), nullable=True),
        sa.CheckConstraint(
            "(crop_left IS NULL) = (crop_top IS NULL) "
            "AND (crop_left IS NULL) = (crop_right IS NULL) "
            "AND (crop_left IS NULL) = (crop_bottom IS NULL)",
            name=op.f("ck_micrographs_crop_whole"),
        ),
        sa.CheckConstraint(
            "0 <= crop_left AND crop_left < crop_right AND crop_right <= width_px "
            "AND 0 <= crop_top AND crop_top < crop_bottom AND crop_bottom <= height_px",
            name=op.f("ck_micrographs_crop_inside"),
        ),
        sa.CheckConstraint("length(sha256) = 64", name=op.f("ck_micrographs_sha256_length")),
        sa.CheckConstraint("nm_per_pixel > 0", name=op.f("ck_micrographs_nm_per_pixel_positive")),
        sa.CheckConstraint(
            "nm_per_pixel BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308",
            name=op.f("ck_micrographs_nm_per_pixel_finite"),
        ),
        sa.CheckConstraint(
            "nm_per_pixel IS NULL OR nm_per_pixel_source IS NOT NULL",
            name=op.f("ck_micrographs_scale_has_source"),
        ),
        sa.CheckConstraint(
            "width_px > 0 AND height_px > 0 AND n_bytes > 0",
            name=op.f("ck_micrographs_size_positive"),
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_micrographs_change_id")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_micrographs_experiment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_micrographs")),
        sa.UniqueConstraint(
            "experiment_id", "sha256", name=op.f("uq_micrographs_experiment_id_sha256")
        ),
    )
    op.create_index(op.f("ix_micrographs_change_id"), "micrographs", ["change_id"], unique=False)
    op.create_index(op.f("ix_micrographs_sha256"), "micrographs", ["sha256"], unique=False)
    op.create_table(
        "predictions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("model_version_id", sa.Integer(), nullable=True),
        sa.Column("mean", sa.Double(), nullable=False),
        sa.Column("lower", sa.Double(), nullable=False),
        sa.Column("upper", sa.Double(), nullable=False),
        sa.Column("level", sa.Double(), nullable=False),
        sa.CheckConstraint(
            "level > 0 AND level < 1", name=op.f("ck_predictions_level_is_coverage")
        ),
        sa.CheckConstraint("lower <= upper", name=op.f("ck_predictions_interval_ordered")),
        sa.CheckConstraint(
            "lower BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308",
            name=op.f("ck_predictions_lower_finite"),
        ),
        sa.CheckConstraint(
            "mean BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308",
            name=op.f("ck_predictions_mean_finite"),
        ),
        sa.CheckConstraint(
            "upper BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308",
            name=op.f("ck_predictions_upper_finite"),
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_predictions_batch_id")),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_predictions_change_id")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_predictions_experiment_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_version_id"],
            ["model_versions.id"],
            name=op.f("fk_predictions_model_version_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_predictions")),
        sa.UniqueConstraint(
            "experiment_id",
            "outcome",
            "batch_id",
            name=op.f("uq_predictions_experiment_id_outcome_batch_id"),
        ),
    )
    op.create_index(op.f("ix_predictions_batch_id"), "predictions", ["batch_id"], unique=False)
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
        sa.CheckConstraint(
            "length(sha256) = 64 AND length(generator) = 64", name=op.f("ck_previews_sha256_length")
        ),
        sa.CheckConstraint("level > 0 AND level < 1", name=op.f("ck_previews_level_is_coverage")),
        sa.CheckConstraint("n_pictures >= 1", name=op.f("ck_previews_n_pictures_positive")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_previews_batch_id")),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaigns.id"], name=op.f("fk_previews_campaign_id")
        ),
        sa.ForeignKeyConstraint(["change_id"], ["changes.id"], name=op.f("fk_previews_change_id")),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_previews_experiment_id")
        ),
        sa.ForeignKeyConstraint(
            ["model_version_id"], ["model_versions.id"], name=op.f("fk_previews_model_version_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_previews")),
    )
    op.create_index(op.f("ix_previews_campaign_id"), "previews", ["campaign_id"], unique=False)
    op.create_index(op.f("ix_previews_experiment_id"), "previews", ["experiment_id"], unique=False)
    op.create_table(
        "proposals",
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("run_order", sa.Integer(), nullable=False),
        sa.Column("p_success", sa.Double(), nullable=False),
        sa.Column("reason_kind", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("nearest_experiment_id", sa.Integer(), nullable=True),
        sa.Column("acquisition_value", sa.Double(), nullable=True),
        sa.CheckConstraint(
            "acquisition_value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308",
            name=op.f("ck_proposals_acquisition_value_finite"),
        ),
        sa.CheckConstraint(
            "p_success BETWEEN 0 AND 1", name=op.f("ck_proposals_p_success_is_probability")
        ),
        sa.CheckConstraint("run_order >= 1", name=op.f("ck_proposals_run_order_positive")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_proposals_batch_id")),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_proposals_experiment_id")
        ),
        sa.ForeignKeyConstraint(
            ["nearest_experiment_id"],
            ["experiments.id"],
            name=op.f("fk_proposals_nearest_experiment_id"),
        ),
        sa.PrimaryKeyConstraint("experiment_id", name=op.f("pk_proposals")),
        sa.UniqueConstraint("batch_id", "run_order", name=op.f("uq_proposals_batch_id_run_order")),
    )
    op.create_table(
        "status_changes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("change_id", sa.Integer(), nullable=False),
        sa.Column("experiment_id", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("failure", sa.String(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(status = 'failed') = (failure IS NOT NULL)",
            name=op.f("ck_status_changes_failure_iff_failed"),
        ),
        sa.CheckConstraint(
            "failure IN ('beads', 'drips', 'no_jet', 'other')",
            name=op.f("ck_status_changes_failure_known"),
        ),
        sa.CheckConstraint(
            "status IN ('proposed', 'running', 'completed', 'failed', 'abandoned')",
            name=op.f("ck_status_changes_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["change_id"], ["changes.id"], name=op.f("fk_status_changes_change_id")
        ),
        sa.ForeignKeyConstraint(
            ["experiment_id"], ["experiments.id"], name=op.f("fk_status_changes_experiment_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_changes")),
    )
    op.create_index(
        op.f("ix_status_changes_experiment_id_id"),
        "status_changes",
        ["experiment_id", "id"],
        unique=False,
    )
    if op.get_context().dialect.name == "postgresql":
        op.execute(_LET_THE_SERVER_SEARCH)


def downgrade() -> None:
    """Take every table away again; the extension may serve others."""
    for table in (
        "status_changes",
        "proposals",
        "previews",
        "predictions",
        "micrographs",
        "measurements",
        "condition_values",
        "refresh_runs",
        "promotions",
        "experiments",
        "batches",
        "tokens",
        "tasks",
        "sources",
        "sessions",
        "model_versions",
        "campaign_revisions",
        "users",
        "campaigns",
        "scheduled_jobs",
        "leases",
        "job_runs",
        "embeddings",
        "changes",
        "answers",
    ):
        op.drop_table(table)
