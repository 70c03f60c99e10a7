"""The ``ax`` strategy: Ax's settings on the instrument's steps, and nothing of its log."""

import logging
from collections.abc import Iterator

import pytest

from engine.campaign.history import History
from engine.errors import UsageError
from engine.propose import suggest
from engine.propose.request import ProposeRequest
from engine.workspace.settings import ProposeSettings


@pytest.fixture
def heard() -> Iterator[list[logging.LogRecord]]:
    """Return what any of Ax's loggers lets through to its handlers."""
    records: list[logging.LogRecord] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    ear = Ear()
    logging.getLogger("ax").addHandler(ear)
    yield records
    logging.getLogger("ax").removeHandler(ear)


def test_settings_are_new_and_on_the_instrument_and_ax_keeps_quiet(
    history: History, quick: ProposeSettings, heard: list[logging.LogRecord]
) -> None:
    request = ProposeRequest(n=2, seed=1, strategy="ax", max_distinct={"b": 1})
    batch = suggest(history, request, quick)
    assert batch.strategy == "ax"
    settings = [dict(s.conditions) for s in batch.suggestions]
    assert settings[0] != settings[1]
    assert len({s["b"] for s in settings}) == 1
    for conditions in settings:
        for name, value in conditions.items():
            assert history.campaign.parameter(name).problem_as_setting(value) is None
    assert heard == []
    assert logging.root.manager.disable == logging.NOTSET


def test_a_mixture_is_refused_with_what_to_use_instead(
    mixture_history: History, quick: ProposeSettings
) -> None:
    with pytest.raises(UsageError, match="use strategy matmcl, gp, sobol or nsga2"):
        suggest(mixture_history, ProposeRequest(n=2, seed=1, strategy="ax"), quick)
