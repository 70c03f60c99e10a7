"""The code blocks of a page of the documentation: found, checked word by word, run in their order.

A block's language says what becomes of it. ``sh`` and ``python`` are run, in one folder a page;
``text`` after ``sh`` is what it prints, with … for whatever differs; ``toml`` is laid over the
campaign of the folder, as a reader would edit it; a block under a file's name in backticks is that
file. ``console`` needs a machine or files of the reader's own and is checked against the options
that there are.
"""

from __future__ import annotations

import ast
import atexit
import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import tomlkit
import typer
import yaml
from typer import TyperException
from typer.testing import CliRunner

from engine.campaign import Campaign
from engine.cli.app import app
from engine.sources.manage import read_mapping
from engine.workspace.init import template_text
from engine.workspace.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(
    r"(?:^`(?P<name>[\w./-]+\.\w+)`[^\n]*\n\n)?^```(?P<language>[\w-]*)[^\n]*\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
RUN = frozenset({"sh", "python", "text", "csv"})
CHECKED = frozenset({"console", "powershell", "toml", "nginx", "yaml", "ini", "json"})
FOR_A_SHELL = re.compile(r"[|<>;&`]|\$\(")


@dataclass(frozen=True)
class Block:
    """One fenced block; ``name``: the file that it shows, ``line``: where it begins."""

    page: Path
    line: int
    language: str
    name: str | None
    body: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"


def blocks(page: Path) -> list[Block]:
    """Return a page's fenced blocks in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page,
            text.count("\n", 0, match.start("body")),
            match["language"],
            match["name"],
            match["body"],
        )
        for match in FENCE.finditer(text)
    ]


# ---- Command lines, word by word --------------------------------------------------------------


def command_lines(body: str) -> Iterator[list[str]]:
    """Yield the words of each line of a shell block; what is continued is one line."""
    for line in body.replace("\\\n", " ").replace("`\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words:
            yield words


@cache
def engine_command() -> Any:
    """Return the command line as its parser sees it."""
    return typer.main.get_command(app)


def check_words(words: Sequence[str]) -> None:
    """See that a line's command is there and has the options that it is called with.

    Raises:
        AssertionError: it does not.
    """
    match list(words):
        case ["engine", *arguments]:
            _check_click(engine_command(), arguments)
        case ["accelerate", "launch", *more]:
            _check_module(more[more.index("-m") + 1 :])
        case ["python", "-m", *more]:
            _check_module(more)
        case ["python", script, *arguments] if script.endswith(".py"):
            _check_text((ROOT / script).read_text(encoding="utf-8"), arguments)
        case ["make", *targets]:
            text = (ROOT / "Makefile").read_text(encoding="utf-8")
            for target in targets:
                name = target.partition("=")[0]
                pattern = rf"^{name}:" if name == target else rf"\b{name}\b"
                assert re.search(pattern, text, re.MULTILINE), f"make knows no {target}"
        case ["pip", "install", *more]:
            for extra in re.findall(r"spinneret\[(\w+)\]", " ".join(more)):
                project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
                assert extra in project["project"]["optional-dependencies"], extra


def _check_click(command: Any, words: Sequence[str]) -> None:
    line = " ".join(words)
    context = typer.Context(command, info_name=command.name)
    names = list(words)
    while hasattr(command, "commands") and names:
        inner = command.get_command(context, names[0])
        assert inner is not None, f"no command {names[0]!r} in {line}"
        command, names = inner, names[1:]
        context = typer.Context(command, info_name=command.name, parent=context)
    if any(word in {"…", "--help", "--version"} for word in names):
        return
    try:
        values, rest, _ = command.make_parser(context).parse_args(names)
    except TyperException as error:
        raise AssertionError(f"{line}: {error}") from error
    assert not rest, f"{line}: {rest} belong nowhere"
    missing = [p.name for p in command.params if p.required and values.get(p.name) in (None, ())]
    assert not missing, f"{line}: without {missing}"


def _check_module(words: Sequence[str]) -> None:
    """See that a module has the options: in its text, because studies take seconds to import."""
    name, *arguments = words
    if name == "engine.cli.app":
        return _check_click(engine_command(), arguments)
    if not name.startswith("engine."):
        return None
    path = ROOT / Path(*name.split(".")).with_suffix(".py")
    assert path.is_file(), f"no module {name}"
    shared = ROOT / "engine" / "bench" / "options.py"
    return _check_text("".join(file.read_text("utf-8") for file in (path, shared)), arguments)


def _check_text(source: str, arguments: Sequence[str]) -> None:
    for word in arguments:
        option = word.partition("=")[0]
        assert not option.startswith("--") or f'"{option}"' in source, f"no option {option}"


# ---- What is not run ---------------------------------------------------------------------------


def check(block: Block) -> None:
    """See that a block which is not run is what it says it is.

    Raises:
        AssertionError, ValueError: it is not.
    """
    match block.language:
        case "console" | "sh":
            subprocess.run(["bash", "-n"], input=block.body, text=True, check=True)
            for words in command_lines(block.body):
                check_words(words)
        case "powershell":
            for words in command_lines(block.body.replace("\\", "/").replace(";", "\n")):
                check_words(words)
        case "toml":
            check_toml(tomllib.loads(block.body))
        case "yaml":
            assert yaml.safe_load(block.body)
        case "ini":
            configparser.ConfigParser(strict=False).read_string(block.body)
        case "json":
            json.loads(block.body)
        case "nginx":
            check_nginx(block.body)
        case "python":
            ast.parse(block.body)


def check_nginx(body: str) -> None:
    """See that braces close and that each directive ends."""
    depth = 0
    for line in body.splitlines():
        code = line.partition("#")[0].strip()
        assert not code or code[-1] in "{};", f"nginx: {line!r} does not end"
        depth += code.count("{") - code.count("}")
        assert depth >= 0, "nginx: a brace too many"
    assert depth == 0, "nginx: a brace too few"


def check_toml(content: dict[str, Any]) -> None:
    """See that a fragment is a configuration, a source's mapping, or a project's entry points."""
    if "project" in content:
        groups = content["project"]["entry-points"]
        assert set(groups) <= {"spinneret.strategies", "spinneret.labs"}
    elif content.keys() & {"names", "units", "nm_per_pixel"}:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place, "mapping.toml")
            path.write_text(tomlkit.dumps(content), encoding="utf-8")
            read_mapping(path)
    else:
        base = tomllib.loads(template_text("nanofibre"))
        whole = "objectives" in content.get("campaign", {})
        merged = content if whole else overlay(base, content)
        campaign = merged.pop("campaign", None)
        if campaign is not None:
            Campaign(**campaign)
        Settings(**merged)


def overlay(base: Mapping[str, Any], edit: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with an edit laid over it; tables of a list are known by their name."""
    merged = dict(base)
    for key, value in edit.items():
        old = merged.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            merged[key] = overlay(old, value)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            merged[key] = _with_rows(list(old or ()), value)
        else:
            merged[key] = value
    return merged


def _name(row: Mapping[str, Any]) -> Any:
    return row.get("name", row.get("outcome"))


def _with_rows(rows: list[Any], edits: Sequence[Mapping[str, Any]]) -> list[Any]:
    for edit in edits:
        name = _name(edit)
        places = [i for i, row in enumerate(rows) if name and name == _name(row)]
        if places:
            rows[places[0]] = overlay(rows[places[0]], edit)
        else:
            rows.append(dict(edit))
    return rows


# ---- What is run -------------------------------------------------------------------------------


class Reader:
    """Somebody who does what a page says, block by block, in the current folder.

    ``engine`` runs in this process, so that libraries are loaded once; everything else by bash.
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.printed = ""

    def do(self, block: Block) -> None:
        """Do what a block says.

        Raises:
            AssertionError: it goes otherwise than the page says.
        """
        if block.name:
            path = Path(block.name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body, encoding="utf-8")
            return
        match block.language:
            case "sh":
                self.printed = "".join(self.run(line) for line in shell_lines(block.body))
            case "python":
                code = compile("\n" * block.line + block.body, str(block.page), "exec")
                exec(code, self.names)  # noqa: S102 -- of our own pages
            case "text":
                if self.printed:
                    compare(block.body, self.printed)
            case "toml":
                self.edit(tomllib.loads(block.body))
            case _:
                check(block)

    def run(self, line: str) -> str:
        """Return what a line of a shell prints."""
        if line.startswith("engine init --template") and not Path("config.toml").exists():
            printed, folder = begun(line)
            shutil.copytree(folder, Path.cwd(), dirs_exist_ok=True)
            return printed
        if line.startswith("engine ") and not FOR_A_SHELL.search(line):
            return engine(line)
        beside_python = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            env={**os.environ, "PATH": beside_python},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert ran.returncode == 0, f"{line}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def edit(self, content: dict[str, Any]) -> None:
        """Lay a fragment over the folder's config.toml, if there is one that it belongs to."""
        path = Path("config.toml")
        if "project" in content or content.keys() & {"names", "units"} or not path.is_file():
            return check_toml(content)
        merged = overlay(tomllib.loads(path.read_text(encoding="utf-8")), content)
        path.write_text(tomlkit.dumps(merged), encoding="utf-8")
        load_settings(path)
        return None


def engine(line: str) -> str:
    """Return what a command of the engine prints in the current folder."""
    done = CliRunner().invoke(app, shlex.split(line, comments=True)[1:])
    assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception!r}"
    return done.output


@cache
def begun(line: str) -> tuple[str, str]:
    """Return what a line that begins a campaign prints, and a folder with what it leaves."""
    folder, home = tempfile.mkdtemp(), Path.cwd()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.chdir(folder)
    try:
        return engine(line), folder
    finally:
        os.chdir(home)


def shell_lines(body: str) -> list[str]:
    """Return a block's commands; one that goes on beyond a backslash is one line."""
    lines = [line.strip() for line in body.replace("\\\n", " ").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def compare(expected: str, printed: str) -> None:
    """See that all of the lines expected are printed, in their order; … stands for anything."""
    rest = " ".join(printed.split())
    parts = [" ".join(part.split()) for part in re.split(r"…|\n", expected)]
    for part in filter(None, parts):
        assert part in rest, f"expected {part!r} in\n{printed}"
        rest = rest[rest.index(part) + len(part) :]
