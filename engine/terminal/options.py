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
EncodingOption = Annotated[
    str | None,
    typer.Option(
        "--encoding", help="Of a CSV that is not UTF-8: gb18030, cp1250 …", show_default="guessed"
    ),
]
HiddenOption = Annotated[
    bool,
    typer.Option("--hidden", help="Take a workbook's hidden, filtered and struck-out rows, too."),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="auto (a GPU where there is one), cpu or cuda.")
]
