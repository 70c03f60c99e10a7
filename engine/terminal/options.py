"""Options that commands and studies share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="Configuration file.",
        envvar="SPINNERET_CONFIG",
        show_default="config.toml",
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option(
        "--json", help="Print one JSON document on standard output, all else on standard error."
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="auto (a GPU where there is one), cpu or cuda.")
]
