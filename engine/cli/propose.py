"""``engine propose``, ``engine replay``, ``engine score``: what to run next, and why."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.batch_view import (
    scored_csv,
    show_batch,
    write_worksheet,
)
from engine.cli.completion import (
    complete_batch,
    complete_parameter,
    complete_room,
    complete_run,
    complete_strategy,
)
from engine.cli.preview_view import refuse_sheet, show_batch_previews, written
from engine.cli.progress import progress_line
from engine.errors import UsageError
from engine.terminal.options import ConfigOption, EncodingOption, HiddenOption, JsonOption
from engine.terminal.output import print_json, print_table, say, warn

if TYPE_CHECKING:
    from engine.campaign import Campaign, Value


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(propose)
    app.command()(replay)
    app.command()(score)


def propose(
    n: Annotated[
        int | None,
        typer.Option(
            "--n", "-n", help="Runs in the batch (1 to 100).", show_default="[propose] n, 8"
        ),
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(
            "--at",
            metavar="NAME=VALUE",
            help="Today's room, e.g. temperature=22; repeat it. What is not stated is averaged "
            "over recent readings.",
            autocompletion=complete_room,
        ),
    ] = None,
    robust: Annotated[
        bool, typer.Option("--robust", help="Judge each setting by the worst of the recent rooms.")
    ] = False,
    fix: Annotated[
        list[str] | None,
        typer.Option(
            "--fix",
            metavar="NAME=VALUE",
            help="Hold a parameter, e.g. voltage=18; repeat it.",
            autocompletion=complete_parameter,
        ),
    ] = None,
    max_distinct: Annotated[
        list[str] | None,
        typer.Option(
            "--max-distinct",
            metavar="NAME=COUNT",
            help="At most so many values of a parameter in the batch, e.g. concentration=2.",
            autocompletion=complete_parameter,
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="matmcl, gp, sobol, ax, ax-matmcl, nsga2, or one of another distribution.",
            show_default="[propose] strategy, matmcl",
            autocompletion=complete_strategy,
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(min=0, max=2**31 - 1, help="Seed; drawn and recorded if not given."),
    ] = None,
    replicates: Annotated[
        bool,
        typer.Option("--replicates", help="Let settings that were run already be proposed again."),
    ] = False,
    explore: Annotated[
        bool,
        typer.Option(
            "--explore",
            help="Where no run reaches a threshold yet, search all trade-offs that the data show "
            "instead of going towards it.",
        ),
    ] = False,
    replace: Annotated[
        str | None,
        typer.Option(
            "--replace",
            metavar="RUN",
            help="One run in place of a rejected one (`engine log RUN --abandon`), chosen as its "
            "batch was.",
            autocompletion=complete_run,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the batch, record nothing.")
    ] = False,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            help="Also write the batch as a worksheet (.csv, .xlsx): fill in the results, then "
            "`engine log --file` it, as often as there are new ones.",
        ),
    ] = None,
    preview: Annotated[
        bool | None,
        typer.Option(
            "--preview/--no-preview",
            help="Draw the mat to expect of each run.",
            show_default="where a generator can",
        ),
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            metavar="PNG",
            help="Where the previews' contact sheet goes.",
            show_default="the data folder",
        ),
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Propose what to spin next, and record it.

    Eight settings (say) that the machine can be set to, in the order to run them, with what to
    expect of each and why it is there. Pending runs are taken into account, so a second call gives
    others.
    """
    from engine.compute import loading

    with loading():
        from engine.experiments.conditions import read_counts, split_pairs
        from engine.loop import propose as propose_batch
        from engine.propose.replacement import replacement_request
        from engine.propose.request import ProposeRequest
        from engine.workspace import Workspace

    with Workspace.open(config) as opened:
        workspace, settings = opened.settled(), opened.settings.propose
        with workspace.database.read() as tx:
            record, campaign = workspace.active_campaign(tx)
        drift = workspace.drift(record)
        if drift:
            warn(drift)
        seed = secrets.randbelow(2**31) if seed is None else seed
        options = (n, at, fix, max_distinct, strategy, robust, replicates, explore)
        if replace is not None and any(options):
            raise UsageError(
                "--replace asks as the rejected run's batch did; only --seed, --dry-run and how "
                "it is shown fit"
            )
        request = ProposeRequest(
            n=settings.n if n is None else n,
            seed=seed,
            strategy=strategy or settings.strategy,
            at=_numbers(campaign, at),
            robust=robust,
            fixed=_fixed(campaign, fix),
            max_distinct=read_counts(
                campaign, split_pairs(max_distinct, "max_distinct"), "max_distinct"
            ),
            explore=explore,
            replicates=replicates,
        )
        if replace is not None:
            request = replacement_request(workspace, replace, seed=seed)
        _refuse_place(csv)
        if sheet is not None and preview is False:
            raise UsageError("--sheet shows the previews that --no-preview declines; keep one")
        refuse_sheet(sheet)
        with progress_line() as progress:
            proposed = propose_batch(
                workspace, request, record=not dry_run, preview=preview, progress=progress
            )
        contact_sheet = None
        if proposed.previews is not None:
            from engine.loop import write_batch_sheet

            contact_sheet = written(lambda: write_batch_sheet(workspace, proposed, sheet))
    if as_json:
        from engine.documents.proposals import ProposedBatchOut

        print_json(ProposedBatchOut.build(proposed, contact_sheet))
    show_batch(proposed.campaign, proposed.batch, proposed.experiment_ids, to_stderr=as_json)
    show_batch_previews(proposed, contact_sheet, to_stderr=as_json)
    if proposed.batch_id is None:
        say("dry run: nothing was recorded.")
    else:
        say(
            f"batch {proposed.batch_id} recorded (seed {request.seed}). Log a result with "
            f"`engine log {proposed.experiment_ids[0]} OUTCOME=VALUE …`."
        )
    if csv is not None:
        write_worksheet(csv, proposed)


def replay(
    batch: Annotated[
        int,
        typer.Argument(
            metavar="BATCH",
            help="The batch's number, as `propose` printed it.",
            autocompletion=complete_batch,
        ),
    ],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Compute a recorded batch again from what was known then, and compare.

    Exit code 1 if it comes out differently, with the versions that changed since.
    """
    from engine.loop import ProposedBatch
    from engine.loop import replay as replay_batch
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace, progress_line() as progress:
        replayed = replay_batch(workspace, batch, progress=progress)
    if as_json:
        from engine.documents.proposals import ProposedBatchOut

        replayed_batch = ProposedBatch(
            replayed.campaign, replayed.request, replayed.batch, batch, replayed.experiment_ids
        )
        print_json(
            {
                **ProposedBatchOut.build(replayed_batch).plain(),
                "same": not replayed.differences,
                "differences": list(replayed.differences),
            }
        )
    show_batch(replayed.campaign, replayed.batch, replayed.experiment_ids, to_stderr=as_json)
    if replayed.differences:
        for line in replayed.differences:
            warn(line)
        say(f"batch {batch} came out differently.")
        raise typer.Exit(1)
    say(f"batch {batch}: the same {len(replayed.batch.suggestions)} settings again.")


def score(
    file: Annotated[
        Path, typer.Argument(help="CSV or Excel: one candidate a row, headings as for import.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Write here instead of standard output.")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Sheet of an Excel file.")] = None,
    encoding: EncodingOption = None,
    hidden: HiddenOption = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the ranking's Monte-Carlo draws.")] = 0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Forecast and rank candidates that you bring: CSV in, CSV out.

    The file's columns come back, then mean, lower and upper of each outcome (the 90 % interval of a
    new measurement, or the level in the settings), then the rank: 1 promises most beyond the runs
    so far. A missing ambient value is taken to be the mean of the readings.
    """
    from engine.campaign.vocabulary import Vocabulary
    from engine.experiments.importers.runs import outside_the_search
    from engine.experiments.importers.table import read_conditions
    from engine.loop import score as score_candidates
    from engine.workspace import Workspace
    from engine.workspace.files import write_aside

    if out is not None and not out.parent.is_dir():
        raise UsageError(f"--out: expected the folder {out.parent} to exist; make it first")
    with Workspace.open(config) as workspace:
        with workspace.database.read() as tx:
            _, campaign = workspace.active_campaign(tx)
        table, conditions = read_conditions(
            file,
            campaign,
            max_rows=workspace.settings.imports.max_rows,
            sheet=sheet,
            encoding=encoding,
            hidden=hidden,
        )
        outside = outside_the_search(
            campaign, conditions, "candidate", consequence="scored all the same"
        )
        for warning in (*table.notes, *outside):
            warn(warning)
        with progress_line() as progress:
            scored = score_candidates(workspace, conditions, seed=seed, progress=progress)
    for note in scored.notes:
        warn(note)
    if as_json:
        from engine.documents.predictions import CandidateOut, CandidatesOut

        rows = [
            CandidateOut.model_validate({"conditions": c, "outcomes": f, "rank": r})
            for c, f, r in zip(conditions, scored.forecasts, scored.ranks, strict=True)
        ]
        print_json(CandidatesOut(campaign=campaign.name, items=tuple(rows), notes=scored.notes))
        if out is None:
            return
    rank_heading = Vocabulary(campaign).unclaimed("rank")
    text = scored_csv(table.headings, table.rows, scored.forecasts, scored.ranks, rank_heading)
    if out is None:
        print_table(text)
    else:
        write_aside(out, text)
        say(f"{len(scored.ranks)} candidates scored and ranked in {out}.")


# -- reading words ----------------------------------------------------------------------------


def _numbers(campaign: Campaign, options: Sequence[str] | None) -> dict[str, float]:
    from engine.experiments.conditions import read_conditions, split_pairs

    pairs = split_pairs(options, "at")
    room = read_conditions(campaign, pairs, "at", role="ambient", belongs="fixed")
    return {name: float(value) for name, value in room.items()}


def _fixed(campaign: Campaign, options: Sequence[str] | None) -> dict[str, Value]:
    from engine.experiments.conditions import read_conditions, split_pairs

    pairs = split_pairs(options, "fixed")
    return read_conditions(
        campaign, pairs, "fixed", role="controlled", belongs="at", as_setting=True
    )


def _refuse_place(path: Path | None) -> None:
    """Refuse, before anything is computed, a file that could not be written."""
    if path is None:
        return
    folder = path.resolve().parent
    if path.is_dir() or not folder.is_dir():
        raise UsageError(f"--csv: expected a file in an existing folder, got {path}")
    if not os.access(folder, os.W_OK):
        raise UsageError(f"--csv {path}: the folder {folder} cannot be written; name another")
