"""How people reach the server through a proxy: ``[web] public_url`` and ``trusted_proxies``.

Allowed hosts, ``Secure`` cookies, the check of a request's origin, the prefix of every link, the
addresses in QR codes and whom the limiter counts all follow from these two. What a proxy says of a
client (``X-Forwarded-For``) counts only if it comes from a trusted one; its other headers never do.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from engine.workspace.settings import WebSettings

# RFC 3986's host, as browsers and proxies write it, and a port.
# https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(:(?P<port>[0-9]{1,5}))?")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")


@dataclass(frozen=True)
class Front:
    """What stands before the server.

    Attributes:
        url: the address that people type, without a slash at its end; empty where there is none.
        proxies: addresses and networks whose word about a client counts.
    """

    url: str = ""
    proxies: tuple[str, ...] = ()

    @classmethod
    def of_settings(cls, settings: WebSettings) -> Front:
        """Return what the configuration says."""
        return cls(settings.public_url, settings.trusted_proxies)

    @cached_property
    def host(self) -> str:
        """The name that people reach it by."""
        return urlsplit(self.url).hostname or ""

    @cached_property
    def prefix(self) -> str:
        """The path under which it stands there: ``/spinneret``."""
        return urlsplit(self.url).path

    @cached_property
    def origin(self) -> str:
        """Scheme, host and port, as browsers send them: without the scheme's own port.

        >>> Front("https://lab.example:443/spinneret").origin
        'https://lab.example'
        """
        parts = urlsplit(self.url)
        own = {"http": 80, "https": 443}.get(parts.scheme)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = "" if parts.port in (None, own) else f":{parts.port}"
        return f"{parts.scheme}://{host}{port}" if self.url else ""

    def is_proxy(self, address: str) -> bool:
        """Whether an address is a trusted proxy's; none is without a public address."""
        if not self.url:
            return False
        try:
            peer = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
            peer = peer.ipv4_mapped
        return any(peer in network for network in self._networks)

    @cached_property
    def _networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        return [ipaddress.ip_network(word, strict=False) for word in self.proxies]

    def client(self, peer: str, forwarded: str) -> str:
        """Return who asks: the last address in ``X-Forwarded-For`` that is no trusted proxy.

        >>> Front("https://lab.example", ("127.0.0.1",)).client("127.0.0.1", "6.6.6.6, 10.0.0.7")
        '10.0.0.7'
        """
        # From the right: what stands further left was written by whoever asked.
        for word in [peer, *(part.strip() for part in reversed(forwarded.split(",")))]:
            try:
                ipaddress.ip_address(word.partition("%")[0])
            except ValueError:
                break
            peer = word
            if not self.is_proxy(word):
                break
        return peer

    def is_public(self, hostname: str, peer: str, forwarded: str) -> bool:
        """Whether a request came by the public address, and not straight to this machine."""
        if not self.url:
            return False
        return hostname == self.host or (bool(forwarded) and self.is_proxy(peer))

    def inside(self, path: str) -> str:
        """Return a path without the prefix, which a proxy may take off or leave on.

        >>> Front("https://lab.example/mats").inside("/mats/runs"), Front().inside("/runs")
        ('/runs', '/runs')
        """
        if self.prefix and (path == self.prefix or path.startswith(f"{self.prefix}/")):
            return path[len(self.prefix) :] or "/"
        return path


def hostname_of(host: str) -> str | None:
    """Return the name in a Host header; ``None`` if it is none.

    >>> hostname_of("lab.example:8765"), hostname_of("[::1]:80"), hostname_of("["), hostname_of("")
    ('lab.example', '::1', None, None)
    """
    match = _HOST.fullmatch(host)
    if match is None or int(match["port"] or 0) > 65_535:
        return None
    return match["name"].strip("[]").lower()


def is_origin(word: str) -> bool:
    """Whether an Origin header can be read.

    >>> is_origin("https://lab.example"), is_origin("null"), is_origin("http://[")
    (True, True, False)
    """
    scheme, _, host = word.partition("://")
    is_url = _SCHEME.fullmatch(scheme) is not None and hostname_of(host) is not None
    return is_url or word == "null"


def is_address(hostname: str) -> bool:
    """Whether a host is named by its number: no foreign page can have that name."""
    try:
        ipaddress.ip_address(hostname)
    except ValueError:
        return False
    return True
