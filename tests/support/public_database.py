"""Electrospinning-Data.org as a local server: what its interface answers, and what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

VERSIONS = [
    {"versionIdentifier": "v1.0.0", "recordCount": 2, "createdAt": "2026-01-10T08:00:00Z"},
    {
        "versionIdentifier": "v1.1.0",
        "recordCount": 9,
        "createdAt": "2026-06-01T08:00:00Z",
        "doi": "10.5281/zenodo.1",
        "license": "CC BY 4.0",
    },
]


def record(number: int, polymer: str = "PAN", **groups: Any) -> dict[str, Any]:
    """Return a record as the server writes it."""
    document: dict[str, Any] = {
        "recordId": number,
        "researchMetadata": {"doi": "https://doi.org/10.1000/pan", "publicationTitle": "PAN mats"},
        "polymerProperty": {
            "polymerComponents": [{"polymerName": name} for name in polymer.split("-")]
        },
        "solventProperty": {"solventComponents": [{"solventName": "DMF"}]},
        "solutionProperty": {"concentration": 8.0 + number, "concentrationUnit": "wt%"},
        "processParameter": {
            "voltage": 15.0 + number, "voltageUnit": "kV",
            "flowRate": 0.5, "flowRateUnit": "mL/h",
            "tipCollectorDistance": 15.0, "tipCollectorDistanceUnit": "cm",
        },
        "ambientParameter": {"temperature": 23.0, "humidity": 45.0, "humidityUnit": "% RH"},
        "fiberProperty": {"fiberDiameter": 200.0 + 10 * number, "fiberDiameterUnit": "nm"},
    }  # fmt: skip
    for name, group in groups.items():
        document[name] = {**document.get(name, {}), **group}
    return document


class PublicDatabase:
    """A server on this machine; ``records``, ``versions`` and ``failure`` may be changed."""

    def __init__(self) -> None:
        self.records: Any = [record(number) for number in range(1, 7)]
        self.versions: Any = VERSIONS
        self.failure: tuple[int, bytes] | None = None
        self.is_cut = False
        self.requests: list[tuple[str, str, dict[str, list[str]]]] = []
        database = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                database.requests.append(("GET", parts.path, parse_qs(parts.query)))
                answer = database.versions if parts.path.endswith("/versions") else database.records
                status, body = database.failure or (200, json.dumps(answer).encode())
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                is_export = parts.path.endswith("/export")
                self.wfile.write(body[: len(body) // 2] if database.is_cut and is_export else body)

            def do_POST(self) -> None:
                database.requests.append(("POST", self.path, {}))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/public/dataset"

    @contextmanager
    def serving(self) -> Iterator[PublicDatabase]:
        """Answer in a thread of its own for as long as the block lasts."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
