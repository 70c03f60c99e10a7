-- A small database as revision 0013 made it: `sqlite3 spinneret.db .dump`.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL,
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0013');
CREATE TABLE answers (
	id INTEGER NOT NULL,
	actor VARCHAR NOT NULL,
	"key" VARCHAR NOT NULL,
	fingerprint VARCHAR NOT NULL,
	at DATETIME NOT NULL,
	status INTEGER,
	body JSON,
	CONSTRAINT pk_answers PRIMARY KEY (id),
	CONSTRAINT uq_answers_actor_key UNIQUE (actor, "key")
);
INSERT INTO "answers" VALUES(1,'anna','k1','f','2026-11-25 03:00:00.000000',201,'{}');
CREATE TABLE batches (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	campaign_id INTEGER NOT NULL,
	revision_id INTEGER NOT NULL,
	strategy VARCHAR NOT NULL,
	seed BIGINT NOT NULL,
	request JSON NOT NULL,
	watermark INTEGER NOT NULL,
	versions JSON NOT NULL,
	model_version_id INTEGER,
	CONSTRAINT pk_batches PRIMARY KEY (id),
	CONSTRAINT ck_batches_watermark_positive CHECK (watermark >= 0),
	CONSTRAINT fk_batches_campaign_id_revision_id FOREIGN KEY(campaign_id, revision_id) REFERENCES campaign_revisions (campaign_id, id),
	CONSTRAINT fk_batches_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_batches_model_version_id FOREIGN KEY(model_version_id) REFERENCES model_versions (id)
);
INSERT INTO "batches" VALUES(1,4,1,1,'gp',7,'{"n": 1}',3,'{"spinneret": "0.1.0"}',NULL);
CREATE TABLE campaign_revisions (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	campaign_id INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	definition JSON NOT NULL,
	note TEXT,
	CONSTRAINT pk_campaign_revisions PRIMARY KEY (id),
	CONSTRAINT ck_campaign_revisions_revision_positive CHECK (revision >= 1),
	CONSTRAINT fk_campaign_revisions_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
	CONSTRAINT fk_campaign_revisions_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT uq_campaign_revisions_campaign_id_id UNIQUE (campaign_id, id),
	CONSTRAINT uq_campaign_revisions_campaign_id_revision UNIQUE (campaign_id, revision)
);
INSERT INTO "campaign_revisions" VALUES(1,1,1,1,'{"name": "nanofibre"}',NULL);
CREATE TABLE campaigns (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	name VARCHAR NOT NULL,
	is_active BOOLEAN NOT NULL,
	CONSTRAINT pk_campaigns PRIMARY KEY (id),
	CONSTRAINT fk_campaigns_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT uq_campaigns_name UNIQUE (name),
	CONSTRAINT ck_campaigns_is_active CHECK (is_active IN (0, 1))
);
INSERT INTO "campaigns" VALUES(1,1,'nanofibre',1);
CREATE TABLE changes (
	id INTEGER NOT NULL,
	at DATETIME NOT NULL,
	actor VARCHAR NOT NULL,
	action VARCHAR NOT NULL,
	detail TEXT,
	CONSTRAINT pk_changes PRIMARY KEY (id)
);
INSERT INTO "changes" VALUES(1,'2026-11-22 23:36:47.875945','ana','init',NULL);
INSERT INTO "changes" VALUES(2,'2026-11-22 23:36:47.882305','ana','log','M1');
INSERT INTO "changes" VALUES(3,'2026-11-22 23:36:47.890114','ben','correct',NULL);
INSERT INTO "changes" VALUES(4,'2026-11-22 23:36:47.895003','ben','propose',NULL);
INSERT INTO "changes" VALUES(5,'2026-11-22 23:36:47.901756','ben','refresh',NULL);
INSERT INTO "changes" VALUES(6,'2026-11-22 23:36:47.901756','ben','source add',NULL);
INSERT INTO "changes" VALUES(7,'2026-11-25 03:00:00.000000','spinneret','refresh',NULL);
INSERT INTO "changes" VALUES(8,'2026-11-25 03:00:00.000000','spinneret','user add','anna as admin');
CREATE TABLE "condition_values" (
	experiment_id INTEGER NOT NULL,
	parameter VARCHAR NOT NULL,
	stage VARCHAR NOT NULL,
	revision INTEGER NOT NULL,
	number DOUBLE,
	text TEXT,
	change_id INTEGER NOT NULL,
	CONSTRAINT pk_condition_values PRIMARY KEY (experiment_id, parameter, stage, revision),
	CONSTRAINT fk_condition_values_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id),
	CONSTRAINT ck_condition_values_number_or_text CHECK ((number IS NULL OR text IS NULL) AND (number IS NOT NULL OR text IS NOT NULL OR revision > 1)),
	CONSTRAINT ck_condition_values_number_finite CHECK (number BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_condition_values_revision_positive CHECK (revision >= 1),
	CONSTRAINT fk_condition_values_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT ck_condition_values_stage_known CHECK (stage IN ('proposed', 'actual', 'fact'))
)
 WITHOUT ROWID

;
INSERT INTO "condition_values" VALUES(1,'polymer','actual',1,NULL,'PCL',2);
INSERT INTO "condition_values" VALUES(1,'voltage','actual',1,17.8,NULL,2);
INSERT INTO "condition_values" VALUES(1,'voltage','proposed',1,18.0,NULL,2);
INSERT INTO "condition_values" VALUES(2,'voltage','proposed',1,19.0,NULL,4);
CREATE TABLE curve_arrays (
	sha256 VARCHAR NOT NULL,
	n_points INTEGER NOT NULL,
	channels JSON NOT NULL,
	data BLOB NOT NULL,
	CONSTRAINT pk_curve_arrays PRIMARY KEY (sha256),
	CONSTRAINT ck_curve_arrays_sha256_length CHECK (length(sha256) = 64),
	CONSTRAINT ck_curve_arrays_n_points_positive CHECK (n_points > 0)
);
CREATE TABLE curve_fits (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	experiment_id INTEGER NOT NULL,
	curve_id INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	width_mm DOUBLE,
	thickness_mm DOUBLE,
	gauge_mm DOUBLE,
	area_mm2 DOUBLE,
	sources JSON NOT NULL,
	definitions JSON NOT NULL,
	results JSON,
	CONSTRAINT pk_curve_fits PRIMARY KEY (id),
	CONSTRAINT ck_curve_fits_revision_positive CHECK (revision >= 1),
	CONSTRAINT ck_curve_fits_width_mm_positive CHECK (width_mm > 0),
	CONSTRAINT ck_curve_fits_thickness_mm_positive CHECK (thickness_mm > 0),
	CONSTRAINT ck_curve_fits_gauge_mm_positive CHECK (gauge_mm > 0),
	CONSTRAINT ck_curve_fits_area_mm2_positive CHECK (area_mm2 > 0),
	CONSTRAINT ck_curve_fits_width_mm_finite CHECK (width_mm BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_curve_fits_thickness_mm_finite CHECK (thickness_mm BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_curve_fits_gauge_mm_finite CHECK (gauge_mm BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_curve_fits_area_mm2_finite CHECK (area_mm2 BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT fk_curve_fits_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_curve_fits_curve_id FOREIGN KEY(curve_id) REFERENCES curves (id),
	CONSTRAINT fk_curve_fits_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id),
	CONSTRAINT uq_curve_fits_curve_id_revision UNIQUE (curve_id, revision)
);
CREATE TABLE curves (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	experiment_id INTEGER NOT NULL,
	direction VARCHAR,
	replicate INTEGER NOT NULL,
	specimen VARCHAR NOT NULL,
	number INTEGER NOT NULL,
	array_sha256 VARCHAR NOT NULL,
	sha256 VARCHAR NOT NULL,
	path VARCHAR NOT NULL,
	original_name VARCHAR NOT NULL,
	n_bytes BIGINT NOT NULL,
	reading JSON NOT NULL,
	CONSTRAINT pk_curves PRIMARY KEY (id),
	CONSTRAINT ck_curves_sha256_length CHECK (length(sha256) = 64),
	CONSTRAINT ck_curves_size_positive CHECK (n_bytes > 0),
	CONSTRAINT ck_curves_replicate_positive CHECK (replicate >= 1),
	CONSTRAINT ck_curves_number_positive CHECK (number >= 1),
	CONSTRAINT fk_curves_array_sha256 FOREIGN KEY(array_sha256) REFERENCES curve_arrays (sha256),
	CONSTRAINT fk_curves_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_curves_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id),
	CONSTRAINT uq_curves_experiment_id_array_sha256 UNIQUE (experiment_id, array_sha256)
);
CREATE TABLE embeddings (
	model VARCHAR NOT NULL,
	picture VARCHAR NOT NULL,
	vector BLOB NOT NULL,
	CONSTRAINT pk_embeddings PRIMARY KEY (model, picture),
	CONSTRAINT ck_embeddings_sha256_length CHECK (length(model) = 64 AND length(picture) = 64)
);
INSERT INTO "embeddings" VALUES('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',X'9A99193FCDCC4C3F');
CREATE TABLE experiments (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	campaign_id INTEGER NOT NULL,
	revision_id INTEGER NOT NULL,
	label VARCHAR,
	origin VARCHAR NOT NULL,
	status VARCHAR NOT NULL,
	failure VARCHAR,
	note TEXT,
	CONSTRAINT pk_experiments PRIMARY KEY (id),
	CONSTRAINT fk_experiments_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT ck_experiments_origin_known CHECK (origin IN ('proposal', 'manual', 'import')),
	CONSTRAINT fk_experiments_campaign_id_revision_id FOREIGN KEY(campaign_id, revision_id) REFERENCES campaign_revisions (campaign_id, id),
	CONSTRAINT ck_experiments_status_known CHECK (status IN ('proposed', 'running', 'completed', 'failed', 'abandoned')),
	CONSTRAINT ck_experiments_failure_iff_failed CHECK ((status = 'failed') = (failure IS NOT NULL)),
	CONSTRAINT uq_experiments_campaign_id_label UNIQUE (campaign_id, label),
	CONSTRAINT ck_experiments_failure_bounded CHECK (length(failure) BETWEEN 1 AND 80)
);
INSERT INTO "experiments" VALUES(1,2,1,1,'M1','manual','completed',NULL,NULL);
INSERT INTO "experiments" VALUES(2,4,1,1,NULL,'proposal','proposed',NULL,NULL);
CREATE TABLE job_runs (
	id INTEGER NOT NULL,
	job_id VARCHAR NOT NULL,
	due_at DATETIME NOT NULL,
	started_at DATETIME NOT NULL,
	finished_at DATETIME,
	outcome VARCHAR NOT NULL,
	owner VARCHAR NOT NULL,
	detail TEXT,
	CONSTRAINT pk_job_runs PRIMARY KEY (id),
	CONSTRAINT ck_job_runs_finished_unless_running CHECK ((outcome = 'running') = (finished_at IS NULL)),
	CONSTRAINT ck_job_runs_outcome_known CHECK (outcome IN ('running', 'done', 'failed', 'interrupted')),
	CONSTRAINT uq_job_runs_job_id_due_at UNIQUE (job_id, due_at)
);
INSERT INTO "job_runs" VALUES(1,'refresh','2026-11-25 03:00:00.000000','2026-11-25 03:00:00.000000','2026-11-25 03:00:00.000000','done','host 1',NULL);
CREATE TABLE leases (
	name VARCHAR NOT NULL,
	holder VARCHAR NOT NULL,
	owner VARCHAR NOT NULL,
	beats BIGINT NOT NULL,
	acquired_at DATETIME NOT NULL,
	heartbeat_at DATETIME NOT NULL,
	ttl_s DOUBLE NOT NULL,
	CONSTRAINT pk_leases PRIMARY KEY (name),
	CONSTRAINT ck_leases_ttl_positive CHECK (ttl_s > 0)
);
INSERT INTO "leases" VALUES('scheduler','t','host 1',3,'2026-11-25 03:00:00.000000','2026-11-25 03:00:00.000000',30.0);
CREATE TABLE "measurements" (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	experiment_id INTEGER NOT NULL,
	outcome VARCHAR NOT NULL,
	replicate INTEGER NOT NULL,
	revision INTEGER NOT NULL,
	value DOUBLE,
	supersedes_id INTEGER,
	note TEXT,
	bound VARCHAR,
	sd DOUBLE,
	n INTEGER,
	CONSTRAINT pk_measurements PRIMARY KEY (id),
	CONSTRAINT uq_measurements_supersedes_id UNIQUE (supersedes_id),
	CONSTRAINT ck_measurements_replicate_positive CHECK (replicate >= 1),
	CONSTRAINT ck_measurements_first_supersedes_nothing CHECK ((revision = 1) = (supersedes_id IS NULL)),
	CONSTRAINT ck_measurements_revision_positive CHECK (revision >= 1),
	CONSTRAINT fk_measurements_supersedes_id FOREIGN KEY(supersedes_id) REFERENCES measurements (id),
	CONSTRAINT ck_measurements_value_or_retraction CHECK (value IS NOT NULL OR revision > 1),
	CONSTRAINT uq_measurements_experiment_id_outcome_replicate_revision UNIQUE (experiment_id, outcome, replicate, revision),
	CONSTRAINT fk_measurements_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id),
	CONSTRAINT ck_measurements_value_finite CHECK (value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT fk_measurements_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT ck_measurements_bound_known CHECK (bound IN ('below', 'above')),
	CONSTRAINT ck_measurements_sd_finite CHECK (sd BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_measurements_sd_not_negative CHECK (sd >= 0),
	CONSTRAINT ck_measurements_n_positive CHECK (n >= 1)
);
INSERT INTO "measurements" VALUES(1,2,1,'elongation.longitudinal',1,1,80.0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "measurements" VALUES(2,2,1,'elongation.longitudinal',2,1,84.0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "measurements" VALUES(3,3,1,'elongation.longitudinal',1,2,81.0,1,NULL,NULL,NULL,NULL);
CREATE TABLE micrographs (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	experiment_id INTEGER NOT NULL,
	sha256 VARCHAR NOT NULL,
	path VARCHAR NOT NULL,
	original_name VARCHAR NOT NULL,
	width_px INTEGER NOT NULL,
	height_px INTEGER NOT NULL,
	n_bytes BIGINT NOT NULL,
	nm_per_pixel DOUBLE,
	nm_per_pixel_source VARCHAR,
	rotation_axis VARCHAR,
	crop_left INTEGER,
	crop_top INTEGER,
	crop_right INTEGER,
	crop_bottom INTEGER,
	statistics JSON,
	CONSTRAINT pk_micrographs PRIMARY KEY (id),
	CONSTRAINT ck_micrographs_crop_whole CHECK ((crop_left IS NULL) = (crop_top IS NULL) AND (crop_left IS NULL) = (crop_right IS NULL) AND (crop_left IS NULL) = (crop_bottom IS NULL)),
	CONSTRAINT ck_micrographs_crop_inside CHECK (0 <= crop_left AND crop_left < crop_right AND crop_right <= width_px AND 0 <= crop_top AND crop_top < crop_bottom AND crop_bottom <= height_px),
	CONSTRAINT ck_micrographs_sha256_length CHECK (length(sha256) = 64),
	CONSTRAINT ck_micrographs_nm_per_pixel_positive CHECK (nm_per_pixel > 0),
	CONSTRAINT ck_micrographs_nm_per_pixel_finite CHECK (nm_per_pixel BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_micrographs_scale_has_source CHECK (nm_per_pixel IS NULL OR nm_per_pixel_source IS NOT NULL),
	CONSTRAINT ck_micrographs_size_positive CHECK (width_px > 0 AND height_px > 0 AND n_bytes > 0),
	CONSTRAINT fk_micrographs_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_micrographs_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id),
	CONSTRAINT uq_micrographs_experiment_id_sha256 UNIQUE (experiment_id, sha256)
);
INSERT INTO "micrographs" VALUES(1,2,1,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa','aa/a.tif','41a.tif',1280,1024,17,12.5,'scale bar',NULL,0,0,1280,960,'{"porosity": 0.8}');
CREATE TABLE "model_versions" (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	campaign_id INTEGER NOT NULL,
	kind VARCHAR NOT NULL,
	status VARCHAR NOT NULL,
	parent_id INTEGER,
	artifact_path VARCHAR NOT NULL,
	sha256 VARCHAR NOT NULL,
	watermark INTEGER NOT NULL,
	metrics JSON NOT NULL,
	config JSON,
	seed BIGINT,
	versions JSON,
	pruned_change_id INTEGER,
	CONSTRAINT pk_model_versions PRIMARY KEY (id),
	CONSTRAINT ck_model_versions_sha256_length CHECK (length(sha256) = 64),
	CONSTRAINT ck_model_versions_watermark_positive CHECK (watermark >= 0),
	CONSTRAINT fk_model_versions_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_model_versions_parent_id FOREIGN KEY(parent_id) REFERENCES model_versions (id),
	CONSTRAINT ck_model_versions_kind_known CHECK (kind IN ('surrogate', 'generator')),
	CONSTRAINT fk_model_versions_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
	CONSTRAINT fk_model_versions_pruned_change_id FOREIGN KEY(pruned_change_id) REFERENCES changes (id),
	CONSTRAINT ck_model_versions_status_known CHECK (status IN ('candidate', 'champion', 'retired', 'rejected'))
);
INSERT INTO "model_versions" VALUES(1,5,1,'surrogate','champion',NULL,'models/1','bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb',3,'{"r2": 0.6}',NULL,NULL,NULL,NULL);
INSERT INTO "model_versions" VALUES(2,7,1,'surrogate','rejected',1,'models/2','cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc',6,'{}','{"mode": "incremental"}',7,'{"spinneret": "0.1.0"}',7);
CREATE TABLE picture_corrections (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	experiment_id INTEGER NOT NULL,
	micrograph_id INTEGER NOT NULL,
	kind VARCHAR NOT NULL,
	x DOUBLE NOT NULL,
	y DOUBLE NOT NULL,
	x_to DOUBLE,
	y_to DOUBLE,
	length_nm DOUBLE,
	note TEXT,
	undoes_id INTEGER,
	former JSON NOT NULL,
	CONSTRAINT pk_picture_corrections PRIMARY KEY (id),
	CONSTRAINT ck_picture_corrections_kind_known CHECK (kind IN ('exclude', 'scale', 'delete', 'add')),
	CONSTRAINT ck_picture_corrections_second_place CHECK ((x_to IS NULL) = (y_to IS NULL) AND (x_to IS NULL) = (kind = 'delete')),
	CONSTRAINT ck_picture_corrections_length_of_scale CHECK ((length_nm IS NULL) = (kind <> 'scale')),
	CONSTRAINT ck_picture_corrections_length_nm_positive CHECK (length_nm > 0),
	CONSTRAINT ck_picture_corrections_x_finite CHECK (x BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_picture_corrections_y_finite CHECK (y BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_picture_corrections_x_to_finite CHECK (x_to BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_picture_corrections_y_to_finite CHECK (y_to BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_picture_corrections_length_nm_finite CHECK (length_nm BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT fk_picture_corrections_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_picture_corrections_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id),
	CONSTRAINT fk_picture_corrections_micrograph_id FOREIGN KEY(micrograph_id) REFERENCES micrographs (id),
	CONSTRAINT fk_picture_corrections_undoes_id FOREIGN KEY(undoes_id) REFERENCES picture_corrections (id),
	CONSTRAINT uq_picture_corrections_undoes_id UNIQUE (undoes_id)
);
CREATE TABLE picture_removals (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	experiment_id INTEGER NOT NULL,
	micrograph_id INTEGER NOT NULL,
	is_removed BOOLEAN NOT NULL,
	note TEXT,
	CONSTRAINT pk_picture_removals PRIMARY KEY (id),
	CONSTRAINT fk_picture_removals_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_picture_removals_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id),
	CONSTRAINT fk_picture_removals_micrograph_id FOREIGN KEY(micrograph_id) REFERENCES micrographs (id)
);
CREATE TABLE predictions (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	experiment_id INTEGER NOT NULL,
	outcome VARCHAR NOT NULL,
	batch_id INTEGER,
	model_version_id INTEGER,
	mean DOUBLE NOT NULL,
	lower DOUBLE NOT NULL,
	upper DOUBLE NOT NULL,
	level DOUBLE NOT NULL,
	CONSTRAINT pk_predictions PRIMARY KEY (id),
	CONSTRAINT ck_predictions_level_is_coverage CHECK (level > 0 AND level < 1),
	CONSTRAINT ck_predictions_interval_ordered CHECK (lower <= upper),
	CONSTRAINT ck_predictions_lower_finite CHECK (lower BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_predictions_mean_finite CHECK (mean BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_predictions_upper_finite CHECK (upper BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT fk_predictions_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id),
	CONSTRAINT fk_predictions_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_predictions_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id),
	CONSTRAINT fk_predictions_model_version_id FOREIGN KEY(model_version_id) REFERENCES model_versions (id),
	CONSTRAINT uq_predictions_experiment_id_outcome_batch_id UNIQUE (experiment_id, outcome, batch_id)
);
INSERT INTO "predictions" VALUES(1,4,2,'elongation.longitudinal',1,NULL,80.0,60.0,100.0,0.9);
CREATE TABLE previews (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	campaign_id INTEGER NOT NULL,
	experiment_id INTEGER,
	batch_id INTEGER,
	model_version_id INTEGER,
	generator VARCHAR NOT NULL,
	seed BIGINT NOT NULL,
	n_pictures INTEGER NOT NULL,
	request JSON NOT NULL,
	level DOUBLE NOT NULL,
	statistics JSON NOT NULL,
	sha256 VARCHAR NOT NULL,
	path VARCHAR NOT NULL,
	CONSTRAINT pk_previews PRIMARY KEY (id),
	CONSTRAINT ck_previews_n_pictures_positive CHECK (n_pictures >= 1),
	CONSTRAINT ck_previews_level_is_coverage CHECK (level > 0 AND level < 1),
	CONSTRAINT ck_previews_sha256_length CHECK (length(sha256) = 64 AND length(generator) = 64),
	CONSTRAINT fk_previews_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id),
	CONSTRAINT fk_previews_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
	CONSTRAINT fk_previews_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_previews_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id),
	CONSTRAINT fk_previews_model_version_id FOREIGN KEY(model_version_id) REFERENCES model_versions (id)
);
INSERT INTO "previews" VALUES(1,4,1,1,1,NULL,'cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd',7,4,'{"voltage": 18}',0.9,'{"pictures": []}','abababababababababababababababababababababababababababababababab','previews/ab/x.png');
CREATE TABLE promotions (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	campaign_id INTEGER NOT NULL,
	kind VARCHAR NOT NULL,
	model_version_id INTEGER,
	reason TEXT,
	CONSTRAINT pk_promotions PRIMARY KEY (id),
	CONSTRAINT ck_promotions_kind_known CHECK (kind IN ('surrogate', 'generator')),
	CONSTRAINT fk_promotions_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
	CONSTRAINT fk_promotions_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_promotions_model_version_id FOREIGN KEY(model_version_id) REFERENCES model_versions (id)
);
INSERT INTO "promotions" VALUES(1,5,1,'surrogate',1,NULL);
CREATE TABLE proposals (
	experiment_id INTEGER NOT NULL,
	batch_id INTEGER NOT NULL,
	run_order INTEGER NOT NULL,
	p_success DOUBLE NOT NULL,
	reason_kind VARCHAR NOT NULL,
	reason TEXT NOT NULL,
	nearest_experiment_id INTEGER,
	acquisition_value DOUBLE,
	CONSTRAINT pk_proposals PRIMARY KEY (experiment_id),
	CONSTRAINT ck_proposals_acquisition_value_finite CHECK (acquisition_value BETWEEN -1.7976931348623157e308 AND 1.7976931348623157e308),
	CONSTRAINT ck_proposals_p_success_is_probability CHECK (p_success BETWEEN 0 AND 1),
	CONSTRAINT ck_proposals_run_order_positive CHECK (run_order >= 1),
	CONSTRAINT fk_proposals_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id),
	CONSTRAINT fk_proposals_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id),
	CONSTRAINT fk_proposals_nearest_experiment_id FOREIGN KEY(nearest_experiment_id) REFERENCES experiments (id),
	CONSTRAINT uq_proposals_batch_id_run_order UNIQUE (batch_id, run_order)
);
INSERT INTO "proposals" VALUES(2,1,1,0.9,'fills_gap','nothing was run near it',1,-1.5);
CREATE TABLE "refresh_runs" (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	campaign_id INTEGER NOT NULL,
	"trigger" VARCHAR NOT NULL,
	started_at DATETIME NOT NULL,
	finished_at DATETIME,
	outcome VARCHAR NOT NULL,
	log TEXT,
	model_version_id INTEGER,
	kind VARCHAR DEFAULT 'surrogate' NOT NULL,
	watermark INTEGER,
	report JSON,
	CONSTRAINT pk_refresh_runs PRIMARY KEY (id),
	CONSTRAINT ck_refresh_runs_finished_unless_running CHECK ((outcome = 'running') = (finished_at IS NULL)),
	CONSTRAINT fk_refresh_runs_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_refresh_runs_model_version_id FOREIGN KEY(model_version_id) REFERENCES model_versions (id),
	CONSTRAINT fk_refresh_runs_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
	CONSTRAINT ck_refresh_runs_kind_known CHECK (kind IN ('surrogate', 'generator')),
	CONSTRAINT ck_refresh_runs_outcome_known CHECK (outcome IN ('running', 'promoted', 'rejected', 'failed', 'interrupted'))
);
INSERT INTO "refresh_runs" VALUES(1,7,1,'min_new_results','2026-11-25 03:00:00.000000','2026-11-25 03:00:00.000000','rejected','it loses to the champion',2,'surrogate',6,'{"n_new": 8}');
CREATE TABLE scheduled_jobs (
	id VARCHAR NOT NULL,
	next_run_at DATETIME,
	definition JSON NOT NULL,
	CONSTRAINT pk_scheduled_jobs PRIMARY KEY (id)
);
INSERT INTO "scheduled_jobs" VALUES('refresh','2026-11-25 03:00:00.000000','{"function": "refresh"}');
CREATE TABLE sessions (
	id INTEGER NOT NULL,
	token_hash VARCHAR NOT NULL,
	user_id INTEGER,
	actor VARCHAR NOT NULL,
	created_at DATETIME NOT NULL,
	expires_at DATETIME NOT NULL,
	CONSTRAINT pk_sessions PRIMARY KEY (id),
	CONSTRAINT ck_sessions_token_hash_length CHECK (length(token_hash) = 64),
	CONSTRAINT fk_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_sessions_token_hash UNIQUE (token_hash)
);
INSERT INTO "sessions" VALUES(1,'dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd',1,'anna','2026-11-25 03:00:00.000000','2026-11-25 03:00:00.000000');
CREATE TABLE sources (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	campaign_id INTEGER,
	name VARCHAR NOT NULL,
	kind VARCHAR NOT NULL,
	definition JSON NOT NULL,
	fingerprint VARCHAR NOT NULL,
	removed_change_id INTEGER,
	CONSTRAINT pk_sources PRIMARY KEY (id),
	CONSTRAINT ck_sources_kind_known CHECK (kind IN ('campaign', 'database', 'table', 'matmcl', 'simulated')),
	CONSTRAINT ck_sources_name_given CHECK (length(name) > 0),
	CONSTRAINT ck_sources_fingerprint_length CHECK (length(fingerprint) = 64),
	CONSTRAINT fk_sources_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
	CONSTRAINT fk_sources_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_sources_removed_change_id FOREIGN KEY(removed_change_id) REFERENCES changes (id)
);
INSERT INTO "sources" VALUES(1,6,1,'older','table','{"path": "older.csv"}','aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',NULL);
CREATE TABLE status_changes (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	experiment_id INTEGER NOT NULL,
	status VARCHAR NOT NULL,
	failure VARCHAR,
	note TEXT,
	CONSTRAINT pk_status_changes PRIMARY KEY (id),
	CONSTRAINT ck_status_changes_failure_iff_failed CHECK ((status = 'failed') = (failure IS NOT NULL)),
	CONSTRAINT ck_status_changes_status_known CHECK (status IN ('proposed', 'running', 'completed', 'failed', 'abandoned')),
	CONSTRAINT fk_status_changes_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (id),
	CONSTRAINT fk_status_changes_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT ck_status_changes_failure_bounded CHECK (length(failure) BETWEEN 1 AND 80)
);
INSERT INTO "status_changes" VALUES(1,2,1,'completed',NULL,NULL);
INSERT INTO "status_changes" VALUES(2,4,2,'proposed',NULL,NULL);
CREATE TABLE tasks (
	id INTEGER NOT NULL,
	campaign_id INTEGER NOT NULL,
	kind VARCHAR NOT NULL,
	actor VARCHAR NOT NULL,
	params JSON NOT NULL,
	status VARCHAR NOT NULL,
	progress TEXT,
	fraction DOUBLE,
	result JSON,
	error TEXT,
	worker VARCHAR,
	is_cancelled BOOLEAN NOT NULL,
	created_at DATETIME NOT NULL,
	started_at DATETIME,
	heartbeat_at DATETIME,
	finished_at DATETIME,
	rerun_of INTEGER,
	CONSTRAINT pk_tasks PRIMARY KEY (id),
	CONSTRAINT ck_tasks_status_known CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled', 'interrupted')),
	CONSTRAINT ck_tasks_fraction_is_share CHECK (fraction BETWEEN 0 AND 1),
	CONSTRAINT fk_tasks_campaign_id FOREIGN KEY(campaign_id) REFERENCES campaigns (id),
	CONSTRAINT fk_tasks_rerun_of FOREIGN KEY(rerun_of) REFERENCES tasks (id),
	CONSTRAINT ck_tasks_is_cancelled CHECK (is_cancelled IN (0, 1))
);
INSERT INTO "tasks" VALUES(1,1,'propose','anna','{"n": 8}','queued',NULL,NULL,NULL,NULL,NULL,0,'2026-11-25 03:00:00.000000',NULL,NULL,NULL,NULL);
CREATE TABLE tokens (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	user_id INTEGER NOT NULL,
	name VARCHAR NOT NULL,
	token_hash VARCHAR NOT NULL,
	scope VARCHAR NOT NULL,
	expires_at DATETIME,
	revoked_change_id INTEGER,
	CONSTRAINT pk_tokens PRIMARY KEY (id),
	CONSTRAINT ck_tokens_scope_known CHECK (scope IN ('viewer', 'operator', 'admin')),
	CONSTRAINT ck_tokens_name_given CHECK (length(name) > 0),
	CONSTRAINT ck_tokens_token_hash_length CHECK (length(token_hash) = 64),
	CONSTRAINT fk_tokens_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_tokens_revoked_change_id FOREIGN KEY(revoked_change_id) REFERENCES changes (id),
	CONSTRAINT fk_tokens_user_id FOREIGN KEY(user_id) REFERENCES users (id),
	CONSTRAINT uq_tokens_token_hash UNIQUE (token_hash)
);
INSERT INTO "tokens" VALUES(1,8,1,'scale','eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee','viewer',NULL,NULL);
CREATE TABLE users (
	id INTEGER NOT NULL,
	change_id INTEGER NOT NULL,
	name VARCHAR NOT NULL,
	role VARCHAR NOT NULL,
	password_hash VARCHAR NOT NULL,
	removed_change_id INTEGER,
	CONSTRAINT pk_users PRIMARY KEY (id),
	CONSTRAINT ck_users_role_known CHECK (role IN ('viewer', 'operator', 'admin')),
	CONSTRAINT ck_users_name_given CHECK (length(name) > 0),
	CONSTRAINT fk_users_change_id FOREIGN KEY(change_id) REFERENCES changes (id),
	CONSTRAINT fk_users_removed_change_id FOREIGN KEY(removed_change_id) REFERENCES changes (id),
	CONSTRAINT uq_users_name UNIQUE (name)
);
INSERT INTO "users" VALUES(1,8,'anna','admin','$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA',NULL);
CREATE UNIQUE INDEX uq_campaigns_active ON campaigns (is_active) WHERE is_active;
CREATE INDEX ix_batches_campaign_id ON batches (campaign_id);
CREATE INDEX ix_micrographs_sha256 ON micrographs (sha256);
CREATE INDEX ix_predictions_batch_id ON predictions (batch_id);
CREATE UNIQUE INDEX uq_sources_campaign_id_name ON sources (campaign_id, name) WHERE removed_change_id IS NULL;
CREATE UNIQUE INDEX uq_sources_name_of_all ON sources (name) WHERE removed_change_id IS NULL AND campaign_id IS NULL;
CREATE UNIQUE INDEX uq_model_versions_champion ON model_versions (campaign_id, kind) WHERE status = 'champion';
CREATE INDEX ix_model_versions_campaign_id_kind ON model_versions (campaign_id, kind);
CREATE INDEX ix_refresh_runs_campaign_id ON refresh_runs (campaign_id);
CREATE INDEX ix_micrographs_change_id ON micrographs (change_id);
CREATE INDEX ix_promotions_campaign_id_kind ON promotions (campaign_id, kind);
CREATE INDEX ix_scheduled_jobs_next_run_at ON scheduled_jobs (next_run_at);
CREATE INDEX ix_answers_at ON answers (at);
CREATE INDEX ix_sessions_user_id ON sessions (user_id);
CREATE INDEX ix_tasks_status_kind ON tasks (status, kind);
CREATE INDEX ix_tokens_user_id ON tokens (user_id);
CREATE INDEX ix_previews_campaign_id ON previews (campaign_id);
CREATE INDEX ix_previews_experiment_id ON previews (experiment_id);
CREATE INDEX ix_measurements_change_id ON measurements (change_id);
CREATE INDEX ix_curves_array_sha256 ON curves (array_sha256);
CREATE INDEX ix_curves_sha256 ON curves (sha256);
CREATE INDEX ix_curves_change_id ON curves (change_id);
CREATE INDEX ix_curve_fits_experiment_id_id ON curve_fits (experiment_id, id);
CREATE INDEX ix_curve_fits_change_id ON curve_fits (change_id);
CREATE INDEX ix_picture_removals_micrograph_id_id ON picture_removals (micrograph_id, id);
CREATE INDEX ix_picture_removals_experiment_id ON picture_removals (experiment_id);
CREATE INDEX ix_experiments_campaign_id_status ON experiments (campaign_id, status);
CREATE INDEX ix_experiments_campaign_id_id ON experiments (campaign_id, id);
CREATE INDEX ix_status_changes_experiment_id_id ON status_changes (experiment_id, id);
CREATE INDEX ix_picture_corrections_micrograph_id_id ON picture_corrections (micrograph_id, id);
CREATE INDEX ix_picture_corrections_experiment_id ON picture_corrections (experiment_id);
CREATE INDEX ix_picture_corrections_change_id ON picture_corrections (change_id);
COMMIT;
