"""Lab computers run Windows: everything is imported there, and the loop goes through its branch.

On another system that is as near as one gets: what only POSIX has is taken away from our own code,
and the modules that ask for the system take the branch of Windows, with msvcrt in place.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from db import locks
from engine import host
from surrogate import files

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("engine", "generator", "surrogate", "db")
KNOWING = {ROOT / "engine/host.py", ROOT / "db/locks.py", ROOT / "surrogate/files.py"}
POSIX_MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
POSIX_NAMES = {
    "O_DIRECTORY", "O_NOFOLLOW", "SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "chown",
    "fchmod", "fork", "forkpty", "getegid", "geteuid", "getgid", "getpgid", "getpriority", "getuid",
    "initgroups", "killpg", "mkfifo", "nice", "sched_getaffinity", "setgid", "setpriority",
    "setsid", "setuid", "statvfs", "sysconf", "uname", "wait3", "wait4", "waitid",
}  # fmt: skip


TREES = {
    path: ast.parse(path.read_text(encoding="utf-8"))
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
}


def test_three_modules_know_what_posix_alone_has() -> None:
    places = []
    for path, tree in TREES.items():
        if path in KNOWING:
            continue
        for node in ast.walk(tree):
            match node:
                case ast.Import(names=names):
                    imported = {name.name for name in names}
                case ast.ImportFrom(module=str(module), level=0):
                    imported = {module}
                case ast.Attribute(value=ast.Name(id="os" | "signal" | "subprocess"), attr=name):
                    imported = {name} & POSIX_NAMES
                case ast.keyword(arg="start_new_session" | "preexec_fn" | "process_group"):
                    imported = {"posix"}
                case _:
                    continue
            if imported & (POSIX_MODULES | POSIX_NAMES):
                places.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert places == []


def test_text_is_read_and_written_in_a_stated_encoding() -> None:
    """A console's code page decides otherwise, and another one on each machine."""
    places = []
    for path, tree in TREES.items():
        own = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            named = {keyword.arg for keyword in node.keywords}
            match node.func:
                case ast.Attribute(attr="read_text") if not node.args and "encoding" not in named:
                    places.append(f"{path.relative_to(ROOT)}:{node.lineno}")
                case ast.Attribute(attr="write_text") if (
                    len(node.args) < 2 and "encoding" not in named
                ):
                    places.append(f"{path.relative_to(ROOT)}:{node.lineno}")
                case ast.Name(id="open") if not (named & {"encoding"} or "open" in own) and not any(
                    isinstance(arg, ast.Constant) and "b" in str(arg.value) for arg in node.args[1:]
                ):
                    places.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert places == []


ON_WINDOWS = """
import builtins, importlib, os, pkgutil, sys, types

# The others load torch and diffusers for many seconds; what they import is read above.
light = ("db", "engine.host", "engine.campaign", "engine.cli", "engine.curves", "engine.documents",
         "engine.experiments", "engine.inbox", "engine.jobs", "engine.micrographs", "engine.web",
         "engine.workspace", "surrogate.files")
ours = ("engine", "generator", "surrogate", "db")
gone = {"fcntl", "grp", "pwd", "resource", "termios", "pty", "tty", "posix"}
import_module = builtins.__import__

def refuse(name, globals=None, locals=None, fromlist=(), level=0):
    package = str((globals or {}).get("__name__", "")).partition(".")[0]
    if name in gone and package in ours:
        raise ImportError(f"{name}, imported by {globals['__name__']}")
    return import_module(name, globals, locals, fromlist, level)

builtins.__import__ = refuse
locked = []
msvcrt = types.ModuleType("msvcrt")
msvcrt.LK_LOCK, msvcrt.LK_NBLCK = 1, 2
msvcrt.locking = lambda descriptor, mode, n: locked.append(mode)

from db import locks
from engine import host
from surrogate import files
locks.WINDOWS = host.WINDOWS = files.WINDOWS = True
for package in ours[1:] + ("engine",):
    for module in pkgutil.walk_packages([package], package + "."):
        if module.name.startswith(light):
            importlib.import_module(module.name)

# Libraries of others ask for some of them while they are imported.
for name in ("fork", "forkpty", "getuid", "geteuid", "getgid", "killpg", "setsid", "setpriority",
             "getpriority", "sched_getaffinity", "getpgid"):
    if hasattr(os, name):
        delattr(os, name)
sys.modules["msvcrt"] = msvcrt
from engine.cli.app import app

def run(*words):
    try:
        app(list(words))
    except SystemExit as ended:
        assert not ended.code, words

os.chdir(os.environ["FOLDER"])
run("init", "--template", "nanofibre")
with open("runs.csv", "w", encoding="utf-8") as file:
    file.write("label,flow_rate,concentration,voltage,collector_speed,elongation.longitudinal\\n")
    file.write("A,0.4,18,18,400,88\\n")
run("import", "runs.csv")
run("propose", "--strategy", "sobol", "--n", "2", "--at", "temperature=22", "--at", "humidity=50")
run("log", "2", "elongation.longitudinal=91")
run("status", "--json")
assert locked, "the database was written without a turn"
"""


def test_the_loop_goes_through_the_branch_of_windows(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_WINDOWS],
        cwd=ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name[:9] != "SPINNERET"},
            "FOLDER": str(tmp_path),
            "USERNAME": "anna",
            "SPINNERET_GENERATOR__PRETRAINED": "none",
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert '"completed": 2' in done.stdout


def test_a_lock_is_held_by_one_at_a_time(tmp_path) -> None:
    first, second = locks.open_lock(tmp_path), locks.open_lock(tmp_path)
    assert locks.lock(first, wait=False)
    assert not locks.lock(second, wait=False)
    os.close(first)
    assert locks.lock(second, wait=True)
    os.close(second)


def test_windows_locks_a_file_that_is_no_companion_of_the_database(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(locks, "WINDOWS", True)
    monkeypatch.setattr(locks.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = tmp_path / "campaign"
    folder.mkdir()
    os.close(locks.open_lock(folder))
    assert list(folder.iterdir()) == []
    assert len(list(tmp_path.glob("spinneret-*.lock"))) == 1


def test_a_process_that_ended_is_not_running() -> None:
    assert host.is_running(os.getpid())
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert not host.is_running(process.pid)


@pytest.mark.parametrize("windows", [True, False])
def test_folders_are_synced_where_that_can_be(tmp_path, monkeypatch, windows) -> None:
    monkeypatch.setattr(files, "WINDOWS", windows)
    (tmp_path / "a.csv").write_text("1", encoding="utf-8")
    files.sync(tmp_path)
    files.sync(tmp_path / "a.csv")


def test_a_helper_on_windows_is_out_of_reach_of_ctrl_c(monkeypatch) -> None:
    monkeypatch.setattr(host, "WINDOWS", True)
    assert host.helper_options() == {"creationflags": 0x4200}
    assert host.lower_priority(None, 5) is None  # type: ignore[arg-type]
