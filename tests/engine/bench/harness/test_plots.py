from __future__ import annotations

import pytest

from engine.bench.harness.plots import plot_comparison
from engine.bench.search.closed_loop import ClosedLoopConfig, closed_loop
from engine.errors import DataError


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_draws_a_png(lab, strategies, tmp_path, n_seeds):
    config = ClosedLoopConfig(("sobol", "sweep"), n_seeds=n_seeds, start=3, batch=3, budget=9)
    document = closed_loop(config, lab=lab, strategies=strategies)
    path = tmp_path / "plot.png"
    plot_comparison(document, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(DataError, match="cannot be written"):
        plot_comparison(document, tmp_path / "nowhere" / "plot.png")
