"""``engine serve``: the page at the bench and the API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from engine.errors import UsageError
from engine.terminal.options import ConfigOption
from engine.terminal.output import say


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(serve)


def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but this machine's own needs users.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8765,
    certificate: Annotated[
        Path | None, typer.Option(help="TLS certificate (PEM); with --key.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Its private key (PEM).")] = None,
    config: ConfigOption = None,
) -> None:
    """Serve the page and the API until Ctrl-C.

    Without users it listens on this machine only, and the address that is printed carries the key
    that lets you in. `engine users add NAME --role admin` makes the first user; from then on
    everybody logs in.
    """
    from engine.web.server import Listening, run
    from engine.workspace import Workspace

    if (certificate is None) != (key is None):
        raise UsageError("--certificate and --key belong together; give both")
    for option, path in (("--certificate", certificate), ("--key", key)):
        if path is not None and not path.is_file():
            raise UsageError(f"{option}: expected a file, found none at {path}")
    with Workspace.open(config) as workspace:
        run(workspace, Listening(host, port, certificate, key), announce=say)
