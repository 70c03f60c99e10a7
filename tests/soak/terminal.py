"""The command line in this process: what may end how, what took how long, what went wrong."""

from __future__ import annotations

import json
import time
import traceback
from collections import Counter
from typing import Any

from click.testing import Result
from typer.testing import CliRunner

from engine.cli.app import app


class Terminal:
    """Runs commands; ``problems`` holds what went wrong, step by step."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    def call(self, *words: object, exits: set[int] | None = None) -> Result | None:
        """Run a command; return its result if it ended as it may."""
        texts = [str(word) for word in words]
        began = time.perf_counter()
        result = CliRunner().invoke(app, texts)
        self.seconds[texts[0]] += time.perf_counter() - began
        self.calls[texts[0]] += 1
        problem = None
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            frames = traceback.format_exception(result.exception, limit=-4)
            problem = "traceback\n" + "".join(frames)
        elif "Traceback" in result.stderr:
            problem = f"traceback {result.stderr[-1500:]}"
        elif result.exit_code not in (exits or {0}):
            end = (result.stderr or result.stdout)[-700:].strip()
            problem = f"exit {result.exit_code}, expected {sorted(exits or {0})}: {end}"
        if problem is not None:
            self.problems.append(f"engine {' '.join(texts)}: {problem}")
            return None
        return result

    def ask(self, *words: object, exits: set[int] | None = None) -> Any:
        """Return the JSON of a command, ``None`` where it refused or failed."""
        result = self.call(*words, "--json", exits=exits)
        return json.loads(result.stdout) if result is not None and result.exit_code == 0 else None

    def note(self, step: str, problems: list[str]) -> None:
        """Keep what is wrong."""
        self.problems += [f"{step}: {problem}" for problem in problems[:6]]
