"""MatMCL's published layout → runs: a row for each membrane and test direction.

The table has the columns ``ID, f, c, v, r, t, w, dir, fracture, elongation, elastic modulus,
tangent modulus, yield`` (``dir``: 1 along the collector's rotation, 0 across it), mapped through
the campaign's aliases. The folder has ``table/*.csv`` (or the tables themselves) and
``images/preprocessed/<ID>/*.jpg``.

Reference: Wu et al., npj Computational Materials 11, 276 (2025).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from db.words import nfc
from engine.campaign import Campaign, Value
from engine.campaign.vocabulary import Vocabulary
from engine.errors import (
    CampaignError,
    DataError,
    ImportRefusedError,
    NotFoundError,
    RowProblem,
    by_voice,
    place,
)
from engine.experiments.importers.cell_reader import CellReader
from engine.experiments.importers.headings import Column
from engine.experiments.importers.raw import RawTable, refuse_too_many
from engine.experiments.importers.reading import read_table
from engine.experiments.importers.runs import (
    ImportedRun,
    ImportedTable,
    outside_warnings,
    status_of,
    waiting_warnings,
)
from engine.experiments.importers.words import clean_label

CONDITIONS = ("f", "c", "v", "r", "t", "w")
RESULTS = ("fracture", "elongation", "elastic modulus", "tangent modulus", "yield")
DIRECTIONS = {"1": "longitudinal", "0": "transverse"}
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def read_runs(path: Path, campaign: Campaign, *, max_rows: int) -> ImportedTable:
    """Read the published table (a file) or the whole published folder.

    One run for each ID, whose label is the ID; each direction's row gives its outcomes.

    Raises:
        NotFoundError, DataError: nothing there, or not this layout.
        CampaignError: the campaign knows a column by no name or alias, or lacks a direction.
        ImportRefusedError: something in it is wrong; carries every problem found.
    """
    tables, images = _find(path)
    runs: dict[str, ImportedRun] = {}
    warnings: list[str] = []
    n_rows = 0
    for table in tables:
        raw = read_table(table, max_rows=max_rows)
        n_rows += len(raw.rows)
        refuse_too_many(path, n_rows, max_rows)
        warnings += raw.notes
        for run in _runs(raw, campaign, warnings):
            if run.label in runs and not _are_equal(runs[run.label], run):
                raise ImportRefusedError(
                    raw.source,
                    [RowProblem(run.row, "ID", run.label, "another table has other values for it")],
                )
            runs[str(run.label)] = run
    pictured = tuple(_with_images(run, images) for run in runs.values())
    if images is not None:
        warnings += _image_warnings(images, runs)
    warnings += [*outside_warnings(campaign, pictured), *waiting_warnings(pictured)]
    return ImportedTable(str(path), pictured, tuple(warnings))


def _find(path: Path) -> tuple[list[Path], Path | None]:
    """Return the tables of the layout and the folder of its images."""
    if not path.exists():
        raise NotFoundError(f"{place(path)}: no such file or folder")
    if not path.is_dir():
        return [path], None
    tables = sorted((path / "table").glob("*.csv")) or sorted(path.glob("*.csv"))
    if not tables:
        raise DataError(
            f"{place(path)}: expected MatMCL's layout with table/*.csv (or *.csv) in it, found none"
        )
    images = path / "images" / "preprocessed"
    return tables, images if images.is_dir() else None


@dataclass
class _Layout:
    """Where the columns stand and what they mean in the campaign."""

    id: Column
    dir: Column
    conditions: list[Column]
    results: list[tuple[Column, dict[str, str]]]


def _runs(raw: RawTable, campaign: Campaign, warnings: list[str]) -> list[ImportedRun]:
    layout = _layout(raw, campaign, warnings)
    reader = CellReader(campaign)
    problems = reader.problems
    first_rows: dict[str, tuple[int, dict[str, Value]]] = {}
    directions: dict[tuple[str, str], tuple[int, dict[str, float]]] = {}
    for number, texts in zip(raw.numbers, raw.rows, strict=True):
        label = reader.read(number, layout.id, texts[layout.id.index], clean_label)
        direction = DIRECTIONS.get(_without_zero(texts[layout.dir.index]))
        if direction is None:
            expected = "expected 1 (longitudinal) or 0 (transverse)"
            problems.append(RowProblem(number, "dir", texts[layout.dir.index].strip(), expected))
        conditions = _conditions(number, texts, layout, reader)
        results = _results(number, texts, layout, direction or "longitudinal", reader)
        if label is None:
            problems.append(RowProblem(number, layout.id.heading, None, "expected a membrane's ID"))
            continue
        label = _without_zero(label)
        first, first_conditions = first_rows.setdefault(label, (number, conditions))
        problems += [
            RowProblem(
                number,
                column.heading,
                texts[column.index].strip(),
                f"expected {first_conditions.get(column.name, 'nothing')}, as in row {first} of "
                f"ID {label}",
            )
            for column in layout.conditions
            if conditions.get(column.name) != first_conditions.get(column.name)
        ]
        if direction is None:
            continue
        earlier, previous = directions.setdefault((label, direction), (number, results))
        if earlier != number:
            repeats = previous == results
            if repeats:
                warnings.append(f"row {number} repeats row {earlier} exactly; taken once")
            else:
                expected = f"direction {direction} stands in row {earlier} with other values"
                problems.append(RowProblem(number, layout.id.heading, label, expected))
    if problems:
        raise ImportRefusedError(raw.source, sorted(problems, key=lambda p: p.row or 0))
    warnings += reader.notes
    return _collect(first_rows, directions)


def _collect(
    first_rows: dict[str, tuple[int, dict[str, Value]]],
    directions: dict[tuple[str, str], tuple[int, dict[str, float]]],
) -> list[ImportedRun]:
    outcomes: dict[str, dict[str, dict[int, float]]] = {}
    for (label, _), (_, results) in directions.items():
        outcomes.setdefault(label, {}).update({name: {1: value} for name, value in results.items()})
    return [
        ImportedRun(
            row=number,
            label=label,
            conditions=conditions,
            outcomes=outcomes.get(label, {}),
            status=status_of(len(outcomes.get(label, {})), None, None),
        )
        for label, (number, conditions) in first_rows.items()
    ]


def _conditions(
    number: int, texts: Sequence[str], layout: _Layout, reader: CellReader
) -> dict[str, Value]:
    conditions: dict[str, Value] = {}
    for column in layout.conditions:
        text = texts[column.index]
        value = reader.condition(number, column, text)
        if value is not None:
            conditions[column.name] = value
        elif not text.strip() and reader.campaign.parameter(column.name).role == "controlled":
            expected = f"the cell is empty; expected {reader.campaign.heading(column.name)}"
            reader.problems.append(RowProblem(number, column.heading, None, expected))
    return conditions


def _results(
    number: int, texts: Sequence[str], layout: _Layout, direction: str, reader: CellReader
) -> dict[str, float]:
    results = {}
    for column, outcomes in layout.results:
        named = replace(column, name=outcomes[direction])
        value = reader.result(number, named, texts[column.index])
        if value is not None:
            results[named.name] = value
    return results


def _layout(raw: RawTable, campaign: Campaign, warnings: list[str]) -> _Layout:
    """Find the published columns; what the campaign does not measure is left aside."""
    places = {heading.casefold(): i for i, heading in enumerate(raw.headings)}
    expected = ("ID", *CONDITIONS, "dir", *RESULTS)
    missing = [heading for heading in expected if heading.casefold() not in places]
    if missing:
        raise ImportRefusedError(
            raw.source,
            [
                RowProblem(1, heading, None, "this column of MatMCL's published table is missing")
                for heading in missing
            ],
        )
    unknown = [h for h in raw.headings if h and h.casefold() not in map(str.casefold, expected)]
    vocabulary = Vocabulary(campaign, reserved={})

    def column(heading: str, name: str) -> Column:
        return Column(places[heading.casefold()], heading, "parameter", name)

    conditions, results = [], []
    for heading in CONDITIONS:
        meaning = vocabulary.lookup(heading)
        if meaning is not None and meaning[0] == "parameter":
            conditions.append(column(heading, meaning[1]))
        else:
            unknown.append(heading)
    for heading in RESULTS:
        outcomes = {name.rpartition(".")[2]: name for name in vocabulary.undirected(heading)}
        if not outcomes:
            unknown.append(heading)
        elif set(DIRECTIONS.values()) <= set(outcomes):
            results.append((column(heading, heading), outcomes))
        else:
            raise CampaignError(
                f"column '{heading}': expected a property measured longitudinal and transverse, "
                f"the campaign '{campaign.name}' has {', '.join(outcomes.values())}"
            )
    _refuse_unmapped(campaign, conditions)
    if unknown:
        warnings.append(f"columns left aside: {', '.join(unknown)}")
    return _Layout(column("ID", "label"), column("dir", "dir"), conditions, results)


def _refuse_unmapped(campaign: Campaign, conditions: Sequence[Column]) -> None:
    mapped = {column.name for column in conditions}
    lacking = [p.name for p in campaign.controlled if p.name not in mapped]
    if lacking:
        raise CampaignError(
            f"the campaign '{campaign.name}' sets {', '.join(lacking)}, which none of MatMCL's "
            f"columns {', '.join(CONDITIONS)} is named after; list the heading among the "
            "parameter's aliases in config.toml" + by_voice(" and run `engine campaign revise`", "")
        )


def _without_zero(text: str) -> str:
    """Return ``"7"`` for ``"7.0"``: numbers that a spreadsheet made of names."""
    word = text.strip()
    return word[:-2] if word.endswith(".0") and word[:-2].isdigit() else word


def _are_equal(first: ImportedRun, second: ImportedRun) -> bool:
    return (first.conditions, first.outcomes) == (second.conditions, second.outcomes)


def _with_images(run: ImportedRun, images: Path | None) -> ImportedRun:
    if images is None:
        return run
    folder = _folders(images).get(nfc(str(run.label)))
    if folder is None:
        return run
    files = [f for f in folder.iterdir() if f.is_file() and f.suffix.casefold() in IMAGE_SUFFIXES]
    return replace(run, micrographs=tuple(sorted(files, key=_image_order)))


def _folders(images: Path) -> dict[str, Path]:
    """Return the folders by name. Listed and not asked for: a Mac spells ``ü`` in another way."""
    return {nfc(folder.name): folder for folder in images.iterdir() if folder.is_dir()}


def _image_order(path: Path) -> tuple[int, str]:
    number = path.stem.rpartition("_")[2]
    return (int(number) if number.isdigit() else 0), path.name


def _image_warnings(images: Path, runs: dict[str, ImportedRun]) -> list[str]:
    warnings = []
    folders, labels = _folders(images), set(map(nfc, runs))
    strangers = sorted(folder.name for name, folder in folders.items() if name not in labels)
    if strangers:
        listed = ", ".join(strangers[:10]) + (" …" if len(strangers) > 10 else "")
        warnings.append(f"{len(strangers)} image folders belong to no ID of the table: {listed}")
    n_without = len(labels - folders.keys())
    if n_without:
        warnings.append(f"{n_without} of {len(runs)} IDs have no images")
    return warnings
