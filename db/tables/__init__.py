"""The tables, typed. What a row may be is said here once, and kept by the database itself.

Nothing that was measured, said or decided is ever overwritten. Rows carry the ``change`` (who did
what, when) that wrote them; a correction is a further row with a higher ``revision``:

===================  ==========================================================================
changes              the audit trail; its ids are the watermarks
campaigns            one search each; at most one is active
campaign_revisions   definitions, as JSON; an edit is a further row
experiments          one sample each, with its present status (a cache of status_changes)
status_changes       every status, failure and note an experiment ever had
condition_values     number or text of one parameter, as proposed or as really run
measurements         one value of one outcome and replicate; a correction names what it supersedes
micrographs          one picture each, by content hash
curve_arrays         samples of tensile curves, compressed, by content hash
curves               one specimen's tensile curve each, with the file it came in
curve_fits           what was read off a curve, with geometry and definitions; newest row counts
picture_corrections  what a person corrected on a picture, or took back, with what stood before
picture_removals     pictures taken away from their runs, or put back; the newest row counts
batches              one call of ``engine propose`` each, with all it takes to replay it
proposals            why an experiment was proposed, and its place in the batch
predictions          what was said of an experiment before it was run
previews             pictures of the mat to expect, with the statistics they show
model_versions       surrogates and generators: candidate, champion (one a kind) or retired
promotions           which version served from when on, and why; the newest row tells which serves
refresh_runs         when and why a model was trained, and what came of it
sources              what models are pretrained on besides: references, re-read at each training
leases               who does what only one may do at a time; the owner's heartbeat keeps it
scheduled_jobs       what the scheduler is to run, and when next; rows change, and are no changes
job_runs             every run of a job; the first row of a due moment is the claim to run it
users                who may come in at the web page, and as what
sessions             who is logged in there; by hash, so that the table opens no door
tokens               keys of programs, by hash, with what they may do
tasks                what was asked of the background (propose, refresh …), and how it stands
answers              what was answered to a request that carried a key, so that twice is once
embeddings           what a model made of a picture: computed, and made anew where a row is missing
===================  ==========================================================================

These are SQLAlchemy's typed tables, not mapped classes: repositories turn rows straight into
frozen records, so an identity map would only add its import (a seventh of a second) to every
command of the bench.
"""

from __future__ import annotations

from db.tables.campaigns import campaign_revisions, campaigns, changes
from db.tables.common import metadata
from db.tables.curves import curve_arrays, curve_fits, curves
from db.tables.experiments import (
    condition_values,
    experiments,
    measurements,
    micrographs,
    picture_corrections,
    picture_removals,
    status_changes,
)
from db.tables.models import embeddings, model_versions, promotions, refresh_runs, sources
from db.tables.operations import answers, job_runs, leases, scheduled_jobs, tasks
from db.tables.proposals import batches, predictions, previews, proposals
from db.tables.users import sessions, tokens, users

__all__ = [
    "answers",
    "batches",
    "campaign_revisions",
    "campaigns",
    "changes",
    "condition_values",
    "curve_arrays",
    "curve_fits",
    "curves",
    "embeddings",
    "experiments",
    "job_runs",
    "leases",
    "measurements",
    "metadata",
    "micrographs",
    "model_versions",
    "picture_corrections",
    "picture_removals",
    "predictions",
    "previews",
    "promotions",
    "proposals",
    "refresh_runs",
    "scheduled_jobs",
    "sessions",
    "sources",
    "status_changes",
    "tasks",
    "tokens",
    "users",
]
