"""The server: where it listens, who may reach it, and how it stops."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import StateError, UsageError
from engine.web.users import list_users
from engine.workspace import Workspace

NEEDED = ("fastapi", "uvicorn", "argon2", "multipart", "segno")


@dataclass(frozen=True)
class Listening:
    """Where a server listens; with certificate and key it speaks TLS."""

    host: str = "127.0.0.1"
    port: int = 8765
    certificate: Path | None = None
    key: Path | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "http" if self.certificate is None else "https"


def require_packages() -> None:
    """Refuse to serve without what the extra ``web`` brings.

    Raises:
        UsageError: names what is missing, and how to install it.
    """
    from importlib.util import find_spec

    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"`engine serve` needs {', '.join(missing)}, which is not installed: run "
            "`pip install 'spinneret[web]'`"
        )


def run(workspace: Workspace, where: Listening, *, tell: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; jobs under way are then marked as interrupted.

    Raises:
        UsageError: a package is missing, or the address needs users and there are none.
        StateError: the port is taken.
    """
    require_packages()
    has_users = bool(list_users(workspace))
    if not where.is_loopback and not has_users:
        raise UsageError(
            f"--host {where.host}: others can reach it there, so users must log in, and there are "
            "none: run `engine users add NAME --role admin` first"
        )
    import uvicorn

    from engine.web.app import create_app

    listener = _bound(where)
    port = listener.getsockname()[1]
    app = create_app(workspace, is_loopback=where.is_loopback)
    host = f"[{where.host}]" if ":" in where.host else where.host
    address = f"{where.scheme}://{host}:{port}/"
    tell(f"serving {address if has_users else f'{address}login?key={app.state.site.key}'}")
    if not has_users:
        tell("there are no users: whoever has this address is in. Ctrl-C stops.")
    if not where.is_loopback and where.certificate is None:
        tell("warning: without --certificate passwords cross the network as they are typed.")
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=75,
            timeout_graceful_shutdown=3,
            ssl_certfile=where.certificate,
            ssl_keyfile=where.key,
        )
    )
    with listener:
        server.run(sockets=[listener])


def _bound(where: Listening) -> socket.socket:
    family = socket.AF_INET6 if ":" in where.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((where.host, where.port))
    except OSError as error:
        listener.close()
        raise StateError(
            f"{where.host}:{where.port} cannot be listened on ({error.strerror}); is another "
            "server running? Choose another --port"
        ) from None
    return listener
