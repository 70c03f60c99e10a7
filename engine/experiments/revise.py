"""A revision and all that comes of it: what changes, which runs it leaves outside, config.toml."""

from __future__ import annotations

from dataclasses import dataclass

from engine.campaign import Campaign
from engine.experiments.awaited import excluded_proposals, runs_left_outside
from engine.workspace import Workspace
from engine.workspace.campaign_file import FOLLOWED, follow
from engine.workspace.revisions import MatchPast, Revised, revise


@dataclass(frozen=True)
class Revision:
    """What a revision did or would do, what to look at (``warnings``), what else was done."""

    revised: Revised
    campaign: Campaign
    warnings: tuple[str, ...]
    notes: tuple[str, ...] = ()


def revise_campaign(
    workspace: Workspace,
    campaign: Campaign,
    *,
    note: str | None = None,
    based_on: int | None = None,
    text: str | None = None,
    dry_run: bool = False,
    past: MatchPast | None = None,
) -> Revision:
    """Record a definition as the next revision, and let config.toml follow; or tell what it would.

    ``text``: the definition as somebody wrote it, for config.toml; ``past``: what runs had of its
    parameters (:func:`engine.experiments.past_values.match_past`).

    Raises:
        StateError, EditedMeanwhileError, CampaignError: as of
            :func:`engine.workspace.revisions.revise`.
    """
    revised = revise(workspace, campaign, note=note, based_on=based_on, dry_run=dry_run, past=past)
    warnings: list[str] = [] if revised.past is None else list(revised.past.notes)
    if revised.taken_back is not None:
        earlier = revised.taken_back.revision
        warnings.append(
            f"this says the same as revision {earlier}: what was changed since is taken back"
        )
    if revised.changes:
        warnings += runs_left_outside(revised.former, campaign, revised.experiments)
    warnings += excluded_proposals(campaign, revised.experiments)
    notes: list[str] = []
    if not dry_run and revised.changes:
        # After the commit: a configuration never holds what is not recorded. Where this is killed
        # in between, the next command tells that config.toml is behind.
        followed = follow(workspace, revised.record, text)
        listed = notes if followed == "written" else warnings
        listed += [FOLLOWED[followed]] if FOLLOWED[followed] else []
    return Revision(revised, campaign, tuple(warnings), tuple(notes))
