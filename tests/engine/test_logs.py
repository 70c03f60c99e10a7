"""What is logged: plain words, or one JSON line an event."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from engine import logs


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    logs.set_up()


def test_plain(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up()
    logger = logging.getLogger("spinneret.x")
    logger.info("a remark")
    logger.warning("take %s", "care")
    assert capsys.readouterr().err == "warning: take care\n"


def test_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPINNERET_LOG", "json")
    logs.set_up()
    logging.getLogger("spinneret.x").info("done", extra={"job": "backup", "seconds": 1.5})
    try:
        raise ValueError("no")
    except ValueError:
        logging.getLogger("spinneret.x").exception("failed")
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["event"], first["level"], first["job"]) == ("done", "info", "backup")
    assert first["at"].endswith("+00:00")
    assert "ValueError: no" in second["exception"]
