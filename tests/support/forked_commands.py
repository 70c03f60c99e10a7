"""Commands in processes of their own that have loaded everything: made to be killed at a moment.

A process that begins with nothing loads libraries for seconds before it does what is to be cut off.
These are forked from one that has loaded them and has never opened a database.
"""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.context import ForkServerProcess
from pathlib import Path


def start_command(folder: Path, *words: object) -> ForkServerProcess:
    """Start ``engine WORDS…`` in a folder; what it says is lost. ``exitcode`` is the command's."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["engine.cli.app", "engine.loop", "engine.propose.suggestion"])
    process = context.Process(target=_run, args=(folder, [str(word) for word in words]))
    process.start()
    return process


def _run(folder: Path, words: list[str]) -> None:
    from engine.cli.app import app

    os.chdir(folder)
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    app(words)
