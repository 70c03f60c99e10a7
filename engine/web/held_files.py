"""Tables that somebody sent, kept until they are recorded or the server starts anew."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile

from engine.errors import NotFoundError, UsageError
from engine.web.forms import lay_file
from engine.web.site import Site


def hold_file(site: Site, file: Any) -> tuple[Path, Path]:
    """Keep an uploaded table in a folder of its own; return folder and file.

    Raises:
        UsageError: no file was chosen.
    """
    if not isinstance(file, UploadFile) or not file.filename:
        raise UsageError("expected a table, got none: choose a file first")
    folder = site.uploads / f"table-{secrets.token_hex(16)}"
    return folder, lay_file(folder, file)


def held_file(site: Site, name: str) -> Path:
    """Return a table that is kept, by the name of its folder.

    Raises:
        NotFoundError: it is no longer there.
    """
    folder = site.uploads / name
    is_ours = name.startswith("table-") and name.removeprefix("table-").isalnum()
    path = next(folder.iterdir(), None) if is_ours and folder.is_dir() else None
    if path is None:
        raise NotFoundError("the file is no longer here: send it again")
    return path
