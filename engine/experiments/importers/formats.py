"""Which reader takes a file: MatMCL's, the one of exported JSON, or that of tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.campaign import Campaign
from engine.errors import UsageError
from engine.experiments.importers.runs import ImportedTable

FORMATS = ("table", "matmcl")


def read_file(
    path: Path,
    campaign: Campaign,
    *,
    file_format: str,
    sheet: str | None,
    max_rows: int,
    encoding: str | None = None,
    hidden: bool = False,
    title_rows: int | None = None,
    columns_named: Mapping[str, str] | None = None,
    replicates: bool = False,
) -> ImportedTable:
    """Read a file's runs in one of :data:`FORMATS`; ``.json`` is what ``engine export`` writes.

    Raises:
        UsageError: an option that is for tables.
    """
    from engine.experiments.importers import document, matmcl, table

    is_document = path.suffix.casefold() == ".json"
    if file_format == "matmcl" or is_document:
        options: dict[str, object] = {"sheet": sheet, "encoding": encoding, "hidden": hidden}
        options |= {"title_rows": title_rows, "column": columns_named}
        options |= {"replicates": replicates}
        for name, value in options.items():
            if value:
                raise UsageError(f"is for tables, not for {path.name}", field=name)
    if file_format == "matmcl":
        return matmcl.read_runs(path, campaign, max_rows=max_rows)
    if is_document:
        return document.read_runs(path, campaign, max_rows=max_rows)
    return table.read_runs(
        path,
        campaign,
        max_rows=max_rows,
        sheet=sheet,
        encoding=encoding,
        hidden=hidden,
        title_rows=title_rows,
        columns_named=columns_named,
        replicates=replicates,
    )
