"""``/experiments``, ``/comparison``, ``/best``, ``/table``: runs listed as on the page."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile
from pydantic import Field
from starlette.responses import Response

from db.records import ExperimentRecord, Status
from engine.campaign import Campaign
from engine.documents.experiments import (
    ComparedOut,
    ComparisonOut,
    DesignOut,
    ExperimentsOut,
    FileReportOut,
    ListedExperimentOut,
    PredictionOut,
    RankedOut,
    RankingOut,
)
from engine.errors import UsageError
from engine.experiments.bring_in import bring_in
from engine.experiments.export import units_of
from engine.web import forms
from engine.web.api.common import (
    BeforeId,
    Id,
    Key,
    Limit,
    Outcome,
    answer,
    answers,
    at_most_once,
)
from engine.web.rendering import site_of
from engine.web.run_queries import read_asked, run_table, runs_of
from engine.web.run_sheets import (
    comparison,
    media_type,
    table_file,
    worksheet_file,
)
from engine.web.site import Site
from engine.workspace import Workspace

router = APIRouter(tags=["experiments"])

MOST_WORDS = 50


def run_selection(
    request: Request,
    *,
    q: Annotated[
        str, Query(max_length=200, description="A part of the label or note, or a run's number.")
    ] = "",
    status: Annotated[
        list[Status], Query(max_length=MOST_WORDS, description="Only runs that stand so.")
    ] = [],  # noqa: B006 -- FastAPI makes a new one of it
    since: Annotated[
        date | None, Query(description="Recorded on this day (UTC) or later: `2026-05-31`.")
    ] = None,
    until: Annotated[
        date | None, Query(description="Recorded on this day (UTC) or earlier.")
    ] = None,
    front: Annotated[bool, Query(description="Only runs that no other dominates.")] = False,
    where: Annotated[
        list[str],
        Query(
            max_length=MOST_WORDS,
            description="Bounds on settings as run and on means of outcomes, all of which must "
            "hold: `voltage>=18`, `polymer=PCL`; signs `>= <= > < = !=`. The page's short forms "
            "`min:voltage=18`, `max:voltage=20` and `is:polymer=PCL` are taken, too.",
        ),
    ] = [],  # noqa: B006
    sort: Annotated[
        str,
        Query(
            max_length=200,
            description="`id`, `label`, `status`, `date`, a parameter or an outcome; with `-` "
            "before it the largest first. Runs without the value come last.",
        ),
    ] = "-id",
) -> list[tuple[str, str]]:
    """Return what is asked of the list, as the page's address says it."""
    # The declared parameters describe the address, and refuse what no address can hold.
    del q, status, since, until, front, where, sort
    return request.query_params.multi_items()


Selection = Annotated[list[tuple[str, str]], Depends(run_selection)]
PageNumber = Annotated[int, Query(ge=1, le=10**6, description="From 1 on.")]
Columns = Annotated[
    list[str],
    Query(
        alias="column",
        max_length=200,
        description="Parameters and outcomes of `values`; without any: objectives and settings.",
    ),
]


@router.get("/experiments", response_model=ExperimentsOut, responses=answers(404))
def list_experiments(
    request: Request,
    *,
    selection: Selection,
    columns: Columns = [],  # noqa: B006
    limit: Limit = 50,
    page: PageNumber = 1,
    before_id: BeforeId = None,
) -> Response:
    """Runs of the campaign, newest first unless `sort` says otherwise.

    Pages are turned by `page`, or, newest first, by `before`, which new runs do not shift.
    """
    site = site_of(request)
    address = read_asked(_campaign(site), selection)
    if before_id is not None and (address.query.sort != "id" or not address.query.descending):
        raise UsageError("expected the order -id with it: use page", field="before")
    if before_id is not None and page > 1:
        raise UsageError("expected one of page and before, got both", field="page")
    if address.query.is_by_status_only and page == 1:
        runs, total, is_last = _newest(site, address.query.status, before_id, limit)
        # Every run of the campaign would be read anew after each change, for a mark on a few.
        front = frozenset(point.id for point in site.overview().front)
    else:
        table = run_table(site, is_exact=True)
        chosen = table.chosen(address.query)
        rest = [id_ for id_ in chosen if before_id is None or id_ < before_id]
        runs, total = runs_of(site, rest[(page - 1) * limit : page * limit]), len(chosen)
        is_last, front = len(rest) <= page * limit, table.front
    is_newest_first = address.query.sort == "id" and address.query.descending
    campaign = _campaign(site)
    return answer(
        ExperimentsOut(
            items=tuple(
                ListedExperimentOut.build(run, address.columns, campaign, front) for run in runs
            ),
            columns=address.columns,
            units={name: campaign.unit_of(name) for name in address.columns},
            page=page,
            pages=max(1, -(-total // limit)),
            next=runs[-1].id if runs and is_newest_first and not is_last else None,
            total=total,
        )
    )


def _newest(
    site: Site, status: Collection[Status], before_id: int | None, limit: int
) -> tuple[list[ExperimentRecord], int, bool]:
    """Return the newest runs, how many there are in all, and whether these are the last."""
    with site.workspace.database.read() as tx:
        record, _ = site.workspace.active_campaign(tx)
        page = tx.experiments.page(
            record.id, status=status or None, before_id=before_id, newest=limit + 1
        )
        counts = tx.experiments.count(record.id)
    newest = list(reversed(page))[:limit]
    total = sum(n for state, n in counts.items() if not status or state in status)
    return newest, total, len(page) <= limit


@router.get("/comparison", response_model=ComparisonOut, responses=answers(404))
def compare_experiments(
    request: Request,
    ids: Annotated[
        list[Annotated[int, Field(ge=1, le=2**53)]],
        Query(alias="id", max_length=MOST_WORDS, description="Two to four runs."),
    ],
) -> Response:
    """Two to four runs side by side: settings, results, what was predicted, what differs."""
    result = comparison(site_of(request), ids)
    return answer(
        ComparisonOut(
            items=tuple(
                ComparedOut.model_validate(run).model_copy(
                    update={
                        "predictions": tuple(
                            map(
                                PredictionOut.model_validate,
                                result.predictions[run.id].values(),
                            )
                        )
                    }
                )
                for run in result.runs
            ),
            differing=tuple(result.differing),
            outcomes=tuple(result.outcomes),
            units=units_of(result.campaign),
        )
    )


@router.get("/best", response_model=RankingOut, responses=answers(404))
def best_settings(request: Request) -> Response:
    """The best settings of each objective, and the front; what breaks a constraint is none."""
    overview = site_of(request).overview(is_exact=True)
    return answer(
        RankingOut(
            best=tuple(
                RankedOut(outcome=name, designs=tuple(map(DesignOut.model_validate, designs)))
                for name, designs in overview.best.ranked.items()
            ),
            front=tuple(map(DesignOut.model_validate, overview.best.front)),
            units=units_of(overview.campaign),
        )
    )


# -- files ----------------------------------------------------------------------------------------

FileFormat = Literal["csv", "xlsx"]
_FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file.",
        "content": {
            kind.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
            for kind in map(media_type, ("csv", "xlsx"))
        },
    }
}


@router.get("/table.{format}", response_class=Response, responses={**_FILE, **answers(404)})
def download_table(request: Request, format: FileFormat, selection: Selection) -> Response:
    """The runs that are asked for as a file that can be imported: a row for each replicate."""
    site = site_of(request)
    address = read_asked(_campaign(site), selection)
    content = table_file(site, address, format, is_exact=True)
    return Response(content, media_type=media_type(format))


@router.get(
    "/proposals/{id}/worksheet.{format}",
    tags=["proposals"],
    response_class=Response,
    responses={**_FILE, **answers(404)},
)
def download_worksheet(request: Request, id: Id, format: FileFormat) -> Response:
    """A batch's awaited runs as a table to fill in and send to `/table`."""
    content = worksheet_file(site_of(request), id, format)
    return Response(content, media_type=media_type(format))


@router.post("/table", response_model=FileReportOut, responses=answers(404, 409))
def upload_table(
    request: Request,
    *,
    file: Annotated[UploadFile, File(description="CSV, TSV, Excel, or exported JSON.")],
    dry_run: Annotated[bool, Form(description="Only tell what it would do.")] = False,
    update: Annotated[
        bool, Form(description="Values that differ from recorded ones correct them.")
    ] = False,
    key: Key = None,
) -> Response:
    """Record a filled-in worksheet, or a table of runs: all of it or nothing."""

    def carry_out(workspace: Workspace) -> Outcome:
        with forms.uploaded(request, [file], noun="table") as paths:
            report = bring_in(workspace, paths[0], dry_run=dry_run, update=update)
        return FileReportOut.model_validate(report), 200, {}

    return at_most_once(request, key, [file.filename, file.size, dry_run, update], carry_out)


def _campaign(site: Site) -> Campaign:
    with site.workspace.database.read() as tx:
        return site.workspace.active_campaign(tx)[1]
