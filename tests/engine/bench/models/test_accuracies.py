"""Held-out runs of every finished table: each table is scored, against the same peer."""

import numpy as np
import pytest

from engine.bench.accuracies import accuracy_of_tables, print_accuracies
from engine.bench.search.finished_tables import FinishedTable
from engine.errors import NotFoundError

INKS = FinishedTable(file="inks.csv", inputs=("share",), maximize=("colour",))


def test_a_smooth_table_is_predicted_by_both_models(tmp_path, capsys) -> None:
    shares = np.linspace(0, 1, 16)
    rows = "".join(f"{share:.3f},{np.sin(3 * share):.4f}\n" for share in shares)
    (tmp_path / "inks.csv").write_text("share,colour\n" + rows, encoding="utf-8")
    stages: list[tuple[str, int]] = []
    written: list[list[str]] = []
    document = accuracy_of_tables(
        tmp_path,
        {"inks": INKS},
        folds=2,
        progress=lambda *s: stages.append(s[:2]),
        keep=lambda document: written.append(list(document["tables"])),
    )
    assert written == [["inks"]]
    row = document["tables"]["inks"]
    assert row["n"] == 16
    assert min(row["models"][name]["mean_r2"] for name in ("gp", "botorch")) > 0.8
    assert {stage.split(":")[0] for stage, _ in stages} == {"inks"}
    assert max(n for _, n in stages) <= 4
    print_accuracies(document)
    assert "inks" in capsys.readouterr().out


def test_a_table_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(NotFoundError, match=r"inks\.csv"):
        accuracy_of_tables(tmp_path, {"inks": INKS})
