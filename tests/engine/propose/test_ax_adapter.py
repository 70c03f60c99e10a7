"""The ``ax`` strategy: Ax's settings on the instrument's steps, and nothing of its log."""

import logging
from collections.abc import Iterator

import pytest

from engine.campaign import Campaign
from engine.campaign.history import History, Run
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


@pytest.mark.deep
@pytest.mark.parametrize(("unit", "n_runs"), [(2.0**-36, 0), (2.0**33, 6)])
def test_ax_searches_any_range_as_it_does_in_another_unit(
    unit: float, n_runs: int, quick: ProposeSettings
) -> None:
    """Ax refuses ranges narrower than 1.5e-7, such as flows in m³/s."""

    def propose_in(size: float) -> list[dict[str, float]]:
        campaign = Campaign(
            name="flows",
            parameters=[
                {"name": "flow", "low": 0.0, "high": size},
                {"name": "gap", "low": 1.0, "high": 3.0},
                {"name": "heat", "low": -size, "high": size, "role": "ambient"},
            ],
            properties=[{"name": "u"}],
            objectives=[{"outcome": "u", "threshold": -9.0}],
            parameter_constraints=[f"{1 / size!r}*flow + gap <= 3.5"],
        )
        rows = [(i / 7, 1 + (3 * i % 7) / 7) for i in range(n_runs)]
        runs = tuple(
            Run(
                {"flow": size * x, "gap": y, "heat": size * x / 2},
                {"u": (-((x - 0.4) ** 2) - y / 3,)},
                id=i,
            )
            for i, (x, y) in enumerate(rows, 1)
        )
        request = ProposeRequest(n=2, seed=1, strategy="ax", fixed={}, at={"heat": size / 4})
        batch = suggest(History(campaign, runs), request, quick)
        assert not any("space-filling" in note for note in batch.notes)
        return [dict(s.conditions) for s in batch.suggestions]

    for setting, plain in zip(propose_in(unit), propose_in(1.0), strict=True):
        assert setting["flow"] / unit == pytest.approx(plain["flow"], abs=1e-8)
        assert setting["gap"] == pytest.approx(plain["gap"], abs=1e-8)
