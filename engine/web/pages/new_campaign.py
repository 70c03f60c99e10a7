"""A new campaign: from a template, or drafted from a table that is looked at before it is taken."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import Response

from engine.drafts.add import TableDraft, add_from_table, add_from_template, draft_table
from engine.drafts.create import TableOptions
from engine.drafts.wishes import Goal, Wish, Wishes
from engine.errors import ConfigError, UsageError, marked
from engine.web import forms
from engine.web.addresses import CAMPAIGNS, redirect_top
from engine.web.definition_form import GOALS, labels_of
from engine.web.definition_words import (
    in_plain_words,
    marks_of,
    objective_in_words,
    range_in_words,
    rule_in_words,
)
from engine.web.forms import Sent, checked_form
from engine.web.held_files import held_file, hold_file
from engine.web.rendering import form_page, person_of, site_of
from engine.web.statuses import EXPECTED
from engine.workspace.init import TEMPLATES

router = APIRouter(dependencies=[Depends(checked_form)])

MOST_COLUMNS = 90
"""Each has four fields at most, and a form 400."""

ROLES = {
    "controlled": "set for each run",
    "ambient": "measured for each run",
    "outcome": "a result",
    "leave_out": "left aside",
}
_TEMPLATES = {
    "nanofibre": "Electrospun nanofibre mats",
    "mixture": "A mixture whose parts sum to one",
    "blank": "Two parameters and two results, to be renamed",
}


@dataclass(frozen=True)
class ColumnLine:
    """A column of the table as the page shows it; without a ``role`` it is a part of another."""

    name: str
    heading: str
    examples: str
    role: str
    reason: str
    searched: str = ""


@router.get("/new-campaign")
def ask(request: Request) -> Response:
    """Show the two ways to begin."""
    return _page(request, None, {})


def _page(request: Request, error: Exception | None, typed: Any) -> Response:
    return form_page(
        request,
        "new_campaign.html",
        _plain(error),
        place="campaigns",
        templates={name: _TEMPLATES.get(name, name) for name in TEMPLATES},
        typed=typed,
    )


def _plain(error: Exception | None) -> Exception | None:
    if isinstance(error, UsageError):
        return type(error)(in_plain_words(marked(error)))
    return error


@router.post("/new-campaign")
def from_template(request: Request, form: Sent) -> Response:
    """Record a campaign as a template has it, to be edited next."""
    site, person = site_of(request), person_of(request)
    template, name = forms.word(form, "template"), forms.word(form, "name")
    try:
        record = add_from_template(site.workspace.acting(person.name), template, name)
    except EXPECTED as error:
        return _page(request, error, {"name": name, "template": template})
    return redirect_top(request, f"{CAMPAIGNS}/{record.id}/definition")


@router.post("/new-campaign/table")
def look_at_table(request: Request, form: Sent) -> Response:
    """Draft a campaign from a table; nothing of it is recorded."""
    site = site_of(request)
    folder: Path | None = None
    try:
        folder, path = hold_file(site, form.get("file"))
        sheet = forms.word(form, "sheet") or None
        drafted = draft_table(site.workspace, path, options=TableOptions(sheet=sheet))
        if len(drafted.columns) > MOST_COLUMNS:
            raise UsageError(
                f"expected at most {MOST_COLUMNS} columns, got {len(drafted.columns)}: leave out "
                "what no run is to have"
            )
    except EXPECTED as error:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        return _page(request, error, {"sheet": forms.word(form, "sheet")})
    return _draft_page(request, FormData(), path, drafted, drafted, sheet=sheet or "")


@router.post("/new-campaign/draft")
def post_draft(request: Request, form: Sent) -> Response:
    """Draft it anew as somebody corrected it; or record it, with the table's runs."""
    site, person = site_of(request), person_of(request)
    sheet = forms.word(form, "sheet")
    options = TableOptions(sheet=sheet or None)
    try:
        path = held_file(site, forms.word(form, "held"))
        plain = draft_table(site.workspace, path, options=options)
    except EXPECTED as error:
        return _page(request, error, {"sheet": sheet})
    try:
        wishes = _wishes(form, plain)
        if forms.word(form, "what") != "record":
            drafted = draft_table(site.workspace, path, wishes, options=options)
            return _draft_page(request, form, path, plain, drafted, sheet=sheet)
        added = add_from_table(site.workspace.acting(person.name), path, wishes, options=options)
    except EXPECTED as error:
        return _draft_page(request, form, path, plain, None, sheet=sheet, error=error)
    shutil.rmtree(path.parent, ignore_errors=True)
    inside, report = site.in_campaign(added.record.id), added.drafted.imported
    inside.leave_message(
        person,
        "good",
        f"The campaign is made, with {report.n_added} runs and {report.n_measurements} results "
        f"of {path.name}.",
    )
    for warning in report.warnings:
        inside.leave_message(person, "warning", warning)
    return redirect_top(request, f"{CAMPAIGNS}/{added.record.id}")


def _wishes(form: FormData, plain: TableDraft) -> Wishes:
    """Return what somebody corrected: columns that are taken for something else, what is wanted."""
    roles: dict[str, list[str]] = {role: [] for role in ROLES}
    for line in _columns_of(plain, plain):
        chosen = forms.word(form, f"role:{line.name}") or line.role
        if line.role and chosen not in ROLES:
            raise UsageError(
                f"expected one of {', '.join(ROLES.values())}", field=f"role:{line.name}"
            )
        if line.role and chosen != line.role:
            roles[chosen].append(line.name)
    wishes = Wishes(
        ambient=tuple(roles["ambient"]),
        controlled=tuple(roles["controlled"]),
        outcome=tuple(roles["outcome"]),
        leave_out=tuple(roles["leave_out"]),
        name=forms.word(form, "name") or None,
        description=forms.word(form, "description"),
    )
    objectives: list[Wish] = []
    was_asked = False
    for column in plain.columns:
        goal = form.get(f"goal:{column.name}")
        is_result = forms.word(form, f"role:{column.name}") == "outcome"
        was_asked |= goal is not None and is_result
        if isinstance(goal, str) and goal and is_result:
            objectives.append(_wish(form, column.name, goal))
    if was_asked and not objectives:
        raise UsageError("expected at least one result that is wanted")
    return replace(wishes, objectives=tuple(objectives))


def _wish(form: FormData, name: str, typed: str) -> Wish:
    if typed not in GOALS:
        raise UsageError(f"expected one of {', '.join(GOALS.values())}", field=f"goal:{name}")
    goals: dict[str, Goal] = {"minimize": "minimize", "target": "target"}
    goal = goals.get(typed, "maximize")
    aim, tolerance = forms.number(form, f"aim:{name}"), forms.number(form, f"tolerance:{name}")
    if goal != "target":
        return Wish(name, goal, aim)
    if aim is None or tolerance is None:
        raise UsageError(
            "a target needs its value and how far off still counts", field=f"aim:{name}"
        )
    return Wish(name, goal, target=aim, tolerance=tolerance)


def _columns_of(drafted: TableDraft, plain: TableDraft) -> list[ColumnLine]:
    draft, lines = drafted.draft, []
    parameters = {parameter.name: parameter for parameter in drafted.campaign.parameters}
    results = {entry.fields["name"] for entry in draft.properties}
    for column in plain.columns:
        role, searched = "", ""
        reason = "read with the runs (label, note), or a part of another column"
        if column.name in parameters:
            parameter = parameters[column.name]
            role, reason = parameter.role, "; ".join(marks_of(parameter))
            searched = range_in_words(parameter)
        elif column.name in results:
            role, reason = "outcome", ""
        elif column.heading in draft.aside:
            role, reason = "leave_out", draft.aside[column.heading]
        distinct = [f"{v:g}" if isinstance(v, float) else str(v) for v in column.distinct]
        examples = ", ".join(distinct[:3]) + (" …" if len(distinct) > 3 else "")
        lines.append(ColumnLine(column.name, column.heading, examples[:80], role, reason, searched))
    return lines


def _draft_page(
    request: Request,
    form: FormData,
    path: Path,
    plain: TableDraft,
    drafted: TableDraft | None,
    *,
    sheet: str,
    error: Exception | None = None,
) -> Response:
    current = drafted or plain
    if isinstance(error, ConfigError | UsageError):
        error = _plain(error)
    names = [column.name for column in plain.columns]
    labels = labels_of(current.campaign, extra=names)
    return form_page(
        request,
        "new_campaign_table.html",
        error,
        place="campaigns",
        relabelled=labels | {f"role:{name}": name for name in names},
        form=form,
        held=path.parent.name,
        name=path.name,
        sheet=sheet,
        drafted=drafted,
        current=current,
        campaign=current.campaign,
        columns=_columns_of(current, plain),
        roles_of_columns=ROLES,
        goals=GOALS,
        range_in_words=range_in_words,
        objective_in_words=objective_in_words,
        rule_in_words=rule_in_words,
    )
