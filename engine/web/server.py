"""The server: where it listens, who may reach it, and how it stops."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.errors import StateError, UsageError, by_voice, field
from engine.web.users import is_without_admin, list_users
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

    # Looked for and not imported: the message must come before the first import that fails.
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the server needs {', '.join(missing)}, which is not installed: run "
            "`pip install 'spinneret[web]'`"
        )


def run(workspace: Workspace, listening: Listening, *, announce: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM; jobs under way are then marked as interrupted.

    Raises:
        UsageError: a package is missing, or the address needs users and there are none.
        StateError: the port is taken.
    """
    require_packages()
    users = list_users(workspace)
    has_users = bool(users)
    public_url = workspace.settings.web.public_url
    if not has_users and (public_url or not listening.is_loopback):
        raise UsageError(
            f"others can reach {public_url or listening.host}, so users must log in, and there "
            "are none: "
            + by_voice("run `engine users add NAME --role admin` first", "make an admin first"),
            field="host",
        )
    import uvicorn

    from engine.web.app import create_app
    from engine.web.connections import PatientProtocol

    # Bound here and not by uvicorn: with port 0 the address is known only afterwards.
    listener = _bound(listening)
    port = listener.getsockname()[1]
    app = create_app(workspace, is_loopback=listening.is_loopback)
    host = f"[{listening.host}]" if ":" in listening.host else listening.host
    address = f"{listening.scheme}://{host}:{port}/"
    # The key is in the address and not typed, so that one click is enough; it is new at each start.
    announce(f"serving {address if has_users else f'{address}login?key={app.state.site.key}'}")
    if public_url:
        announce(f"people reach it at {public_url}/, through a proxy")
    if not has_users:
        announce("there are no users: whoever has this address is in. Ctrl-C stops.")
    if is_without_admin(users):
        # As databases of 0.1.0 may be: nobody could let others in, or take them out.
        announce("warning: no user is an admin; make one: `engine users role NAME admin`.")
    if not (listening.is_loopback or listening.certificate or public_url.startswith("https:")):
        announce(
            f"warning: without {field('certificate')} passwords cross the network as they are "
            "typed."
        )
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            # Only trusted proxies are believed: see `engine.web.proxies`.
            proxy_headers=False,
            ws="none",
            http=PatientProtocol,
            timeout_keep_alive=75,
            # Of the ten seconds that service managers give; the helpers are ended after it.
            timeout_graceful_shutdown=3,
            ssl_certfile=listening.certificate,
            ssl_keyfile=listening.key,
        )
    )
    with listener:
        server.run(sockets=[listener])


def _bound(listening: Listening) -> socket.socket:
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    # So that a restart need not wait for the old connections to time out.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((listening.host, listening.port))
    except OSError as error:
        listener.close()
        raise StateError(
            f"{listening.host}:{listening.port} cannot be listened on ({error.strerror}); is "
            f"another server running? Choose another {field('port')}"
        ) from None
    return listener
