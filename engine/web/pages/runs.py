"""Runs: listed, searched, compared, taken away as a table and brought as one."""

from __future__ import annotations

import asyncio
import shutil
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from db.records import Status
from engine.experiments.bring_in import bring_in
from engine.web import forms
from engine.web.addresses import redirect
from engine.web.forms import Sent, checked_form
from engine.web.held_files import held_file, hold_file
from engine.web.rendering import form_page, page, part, person_of, site_of
from engine.web.run_queries import (
    PER_PAGE,
    all_columns,
    read_asked,
    run_table,
    runs_of,
)
from engine.web.run_sheets import comparison, media_type, table_file, worksheet_file
from engine.web.statuses import EXPECTED

router = APIRouter(dependencies=[Depends(checked_form)])


@router.get("/runs")
def runs(request: Request) -> Response:
    """List runs: those that the address asks for, in its order."""
    site = site_of(request)
    overview = site.overview()
    request_list = read_asked(overview.campaign, request.query_params.multi_items())
    chosen = run_table(site).chosen(request_list.query)
    first = (request_list.page - 1) * PER_PAGE
    return page(
        request,
        "runs.html",
        place="runs",
        asked=request_list,
        runs=runs_of(site, chosen[first : first + PER_PAGE]),
        n_chosen=len(chosen),
        first=first,
        per_page=PER_PAGE,
        counts=overview.counts,
        definition=overview.campaign,
        front={point.id for point in overview.front},
        columns=request_list.columns,
        possible=all_columns(overview.campaign),
        statuses=list(Status),
    )


@router.get("/runs/compare")
def compare(request: Request, ids: Annotated[list[int], Query(alias="id")] = []) -> Response:  # noqa: B006
    """Lay two to four runs side by side."""
    return page(request, "compare.html", place="runs", comparison=comparison(site_of(request), ids))


@router.get("/runs/best")
def best(request: Request) -> Response:
    """List the best settings of each objective, and the front, by the means of all specimens."""
    site = site_of(request)
    overview = site.overview()
    return page(
        request, "best.html", place="runs", definition=overview.campaign, best=overview.best
    )


@router.get("/runs/{id_}/expected")
async def expected(request: Request, id_: int) -> Response:
    """Ask the model what is to be expected of a run with the settings that it has now."""
    site = site_of(request)
    (run,) = await asyncio.to_thread(runs_of, site, [id_])
    overview = await asyncio.to_thread(site.overview)
    names = [parameter.name for parameter in overview.campaign.parameters]
    conditions = {name: run.conditions[name] for name in names if name in run.conditions}
    document = await site.ask("predict", {"conditions": [conditions]})
    return part(
        request,
        "expected.html",
        run=run,
        definition=overview.campaign,
        outcomes=document["items"][0]["outcomes"] if "items" in document else None,
    )


@router.get("/runs/table.{file_format}")
def table(request: Request, file_format: str) -> Response:
    """Return the runs that the address asks for as a file, a row for each replicate."""
    site = site_of(request)
    request_list = read_asked(site.overview().campaign, request.query_params.multi_items())
    return _file(table_file(site, request_list, file_format), file_format, "runs")


@router.get("/batches/{id_}/worksheet.{file_format}")
def batch_worksheet(request: Request, id_: int, file_format: str) -> Response:
    """Return a batch's awaited runs as a table to fill in."""
    content = worksheet_file(site_of(request), id_, file_format)
    return _file(content, file_format, f"batch-{id_}")


def _file(content: bytes, file_format: str, name: str) -> Response:
    headers = {"content-disposition": f'attachment; filename="{name}.{file_format}"'}
    return Response(content, media_type=media_type(file_format), headers=headers)


# -- a file that is brought -------------------------------------------------------------------


@router.get("/runs/file")
def ask_file(request: Request) -> Response:
    """Show the form of a file to bring."""
    return form_page(request, "bring.html", None, place="runs", brought=None)


@router.post("/runs/file")
def look_at_file(request: Request, form: Sent) -> Response:
    """Tell what a file would do; nothing of it is recorded."""
    site = site_of(request)
    try:
        folder, path = hold_file(site, form.get("file"))
        report = bring_in(site.workspace, path, dry_run=True)
    except EXPECTED as error:
        return form_page(request, "bring.html", error, place="runs", brought=None)
    if not report.does_something:
        shutil.rmtree(folder, ignore_errors=True)
    return form_page(
        request,
        "bring.html",
        None,
        place="runs",
        definition=site.overview().campaign,
        brought=report,
        name=path.name,
        held=folder.name,
    )


@router.post("/runs/file/record")
def record_file(request: Request, form: Sent) -> Response:
    """Record a file that was looked at."""
    site, person = site_of(request), person_of(request)
    try:
        path = held_file(site, forms.word(form, "held"))
        report = bring_in(site.workspace.acting(person.name), path, dry_run=False)
    except EXPECTED as error:
        return form_page(request, "bring.html", error, place="runs", brought=None)
    shutil.rmtree(path.parent, ignore_errors=True)
    site.leave_message(person, "good", f"Recorded of {path.name}: {'; '.join(report.lines)}.")
    for warning in report.warnings:
        site.leave_message(person, "warning", warning)
    return redirect(request, "/runs")
