"""Requests that never come to their end are closed, and others are answered meanwhile."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn

from engine.web import shield
from engine.web.connections import PatientProtocol
from engine.web.shield import _Limited, _TooSlowError


async def app(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_half_sent_head_is_given_up(monkeypatch, sent) -> None:
    monkeypatch.setattr(PatientProtocol, "head_s", 0.2)

    async def ask() -> bytes:
        config = uvicorn.Config(
            app, port=0, http=PatientProtocol, lifespan="off", log_level="error"
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        other_reader, other = await asyncio.open_connection("127.0.0.1", port)
        other.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b"200" in await other_reader.readline()
        # Closed by the server: without it this would wait for ever.
        rest = await asyncio.wait_for(reader.read(), 3.0)
        for one in (writer, other):
            one.close()
        server.should_exit = True
        await task
        return rest

    assert asyncio.run(ask()) == b""


def test_a_body_that_stops_coming_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(shield, "BODY_S", 0.05)

    async def silent():
        await asyncio.sleep(60)

    async def whole():
        return {"type": "http.request", "body": b"x", "more_body": False}

    async def ask() -> None:
        with pytest.raises(_TooSlowError):
            await _Limited(silent, 10)()
        limited = _Limited(whole, 10)
        await limited()
        limited.receive = silent
        # What comes after the body is only that the other side is gone.
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(limited(), 0.2)

    asyncio.run(ask())
