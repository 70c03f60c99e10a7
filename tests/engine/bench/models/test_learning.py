"""Ablation, calibration, composite: scores as experiments come, rows, tables."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from engine.bench import ablation, calibration, composite
from engine.bench.harness.labs import finished_runs, lab_of, truths
from engine.bench.models import knowledge, sources
from engine.bench.models.learning import LearningConfig, learning
from engine.bench.models.learning_scores import r2
from engine.bench.models.learning_tables import markdown
from engine.bench.models.prediction import Predicted
from engine.bench.models.rows import (
    COMPOSITE,
    SCRATCH,
    USUAL_MODELS,
    Row,
    ablation_rows,
    grid_of,
)
from engine.bench.search.row_loops import final_hypervolumes
from engine.errors import DataError, ModelError, UsageError
from surrogate.progress import silent


def flat(history, conditions, outcomes, *, level, seed):
    """Know the logarithms' mean and spread."""
    Y = np.log([[run.outcomes[o][0] for o in outcomes] for run in history.finished])
    shape = (len(conditions), 1)
    centre, variance = np.tile(Y.mean(axis=0), shape), np.tile(Y.var(axis=0, ddof=1), shape)
    low, high = (np.exp(centre + k * np.sqrt(variance)) for k in (-1.645, 1.645))
    return Predicted(np.exp(centre), low, high, centre, variance)


def knowing(history, conditions, outcomes, *, level, seed):
    """Know the truth, and nothing of its spread."""
    true = truths(lab_of("standard"), conditions)
    return Predicted(np.stack([true[outcome] for outcome in outcomes], axis=1))


MODELS = {"flat": flat, "knowing": knowing}
ROWS = (Row("plain", "standard", "flat"), Row("truth", "standard", "knowing", "an oracle"))


@pytest.fixture
def run(tmp_path):
    def go(rows=ROWS, out=None, resume=False, models=MODELS, **changes):
        options = {"sizes": (4, 8), "n_seeds": 2, "n_test": 16, "reference": "flat", **changes}
        config = LearningConfig("ablation", rows, **options)
        return learning(config, models=models, out=out, resume=resume)

    return go


@pytest.fixture
def connected(monkeypatch, tmp_path):
    """MatMCL that knows nothing, and remembers what it was trained on."""
    log = []

    def pretrain(found, folder, seed):
        log.append([(s.name, len(s.runs), len(s.pictures)) for s in found])

    monkeypatch.setattr(sources, "STARTER", tmp_path)
    monkeypatch.setattr(knowledge, "load", lambda campaign, folder, outcomes: None)
    monkeypatch.setattr(knowledge, "pretrain", pretrain)
    monkeypatch.setattr(sources, "N_RUNS", 2)
    monkeypatch.setattr(sources, "N_MAT_RUNS", 3)
    monkeypatch.setattr(sources, "PICTURE_PX", 16)
    return log


def test_the_truth_scores_one_and_its_difference_is_paired(run):
    document = run()
    rows = document["summary"]["rows"]
    assert rows["truth"]["r2"]["mean"] == pytest.approx([1.0, 1.0])
    assert max(rows["plain"]["r2"]["mean"]) < 0.05
    assert rows["truth"]["nlpd"] is rows["truth"]["coverage"] is None
    assert 0.5 < rows["plain"]["coverage"]["mean"][1] <= 1.0
    assert rows["plain"]["against"] == "plain"
    assert rows["plain"]["differences"] is None
    found = rows["truth"]["differences"]
    assert found["paired_seeds"] == 2
    assert found["nlpd"] is None
    assert found["r2"]["max"] == max(found["r2"]["mean"])
    expected = [1 - mean for mean in rows["plain"]["r2"]["mean"]]
    assert found["r2"]["mean"] == pytest.approx(expected)
    json.dumps(document, allow_nan=False)


def test_models_of_one_seed_see_the_same_experiments_and_never_the_test(run):
    seen = {}

    def remembers(history, conditions, outcomes, *, level, seed):
        runs = [tuple(r.conditions.values()) for r in history.finished]
        assert not set(runs) & {tuple(c.values()) for c in conditions}
        assert seen.setdefault((seed, len(runs)), runs) == runs
        return flat(history, conditions, outcomes, level=level, seed=seed)

    rows = (Row("a", "standard", "one"), Row("b", "standard", "two"))
    run(rows, models={"one": remembers, "two": remembers})
    assert seen[0, 4] == seen[0, 8][:4]
    assert seen[0, 4] != seen[1, 4]


def test_an_interrupted_run_goes_on(run, tmp_path):
    out = tmp_path / "out.json"

    def breaks(history, *rest, **more):
        if history.n_finished > 4:
            raise ModelError("no more")
        return knowing(history, *rest, **more)

    with pytest.raises(ModelError, match="truth, seed 0, 8 experiments: no more"):
        run(out=out, models={**MODELS, "knowing": breaks})
    assert len(json.loads(out.read_text())["traces"]) == 1
    document = run(out=out, resume=True)
    assert document["summary"] == run()["summary"]
    with pytest.raises(DataError, match="n_test: 16 then, 17 now"):
        run(out=out, resume=True, n_test=17)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sizes": (2, 8)}, "^sizes: expected at least 3"),
        ({"sizes": (8, 4)}, "rising numbers"),
        ({"sizes": ()}, "^sizes: "),
        ({"n_test": 4}, "^test: "),
        ({"n_seeds": 0}, "^seeds: "),
        ({"rows": grid_of(["standard"], ["flt"])}, "Did you mean 'flat'"),
        ({"rows": grid_of(["standrd"], ["flat"])}, "Did you mean 'standard'"),
    ],
)
def test_refuses_with_a_mend(run, change, told):
    with pytest.raises(UsageError, match=told):
        run(**change)


def test_r2_on_paper():
    y = np.array([1.0, 2.0, 3.0])
    assert r2(y, y) == 1.0
    assert r2(y, np.full(3, 2.0)) == 0.0


# -- rows ------------------------------------------------------------------------------------------


def test_every_row_is_offered_with_its_plain_counterpart():
    assert len(ablation_rows()) == 16
    assert USUAL_MODELS == ("gp", "botorch", "matmcl", "matmcl:bad")
    with pytest.raises(UsageError, match="row: expected one of no sources"):
        ablation_rows(["nothing"])
    chosen = ablation_rows(["unlike: starter"])
    assert [row.name for row in chosen] == ["unlike: no sources", "unlike: starter"]
    for row in ablation_rows():
        if sources.is_sourced(row.model) and row.model != SCRATCH:
            sources.check(row.model, "model")


def test_sources_are_pretrained_where_rows_need_them(connected, run):
    rows = (
        Row("plain", "standard", "gp"),
        Row("scratch", "standard", SCRATCH),
        Row("bad", "standard", "matmcl:bad"),
    )
    document = run(rows, n_seeds=1, reference="gp")
    assert connected == [[("campaign", 4, 4)], [("campaign", 8, 8)], [("bad 1", 2, 2)]]
    # Nothing is known, so that each is the plain Gaussian process.
    for name in ("scratch", "bad"):
        found = document["summary"]["rows"][name]["differences"]
        assert found["nlpd"]["mean"] == pytest.approx([0, 0], abs=1e-9)


def test_a_composite_is_learnt_with_its_mats_campaign(connected, run):
    rows = (Row("multi-stage", "composite", "matmcl:mat"),)
    document = run(rows, n_seeds=1, sizes=(6,), reference="gp")
    assert connected == [[("mat", 3, 3)]]
    assert document["summary"]["rows"]["multi-stage"]["against"] is None


def test_rows_that_propose_have_a_hypervolume_at_the_end(tmp_path):
    options = {"n_seeds": 2, "start": 4, "batch": 4, "budget": 8}
    rows = (Row("plain", "standard", "gp"), Row("net", "standard", "paper_mlp"))
    out = tmp_path / "a.json"
    found = final_hypervolumes(rows, options, jobs=1, out=out, resume=False, progress=silent)
    assert list(found) == ["plain"]
    assert 0 < found["plain"]["final"] < 1
    assert (tmp_path / "a.standard.json").is_file()


def test_labs_runs_for_tests_are_others_than_those_to_learn_from():
    lab = lab_of("unlike")
    one, other = finished_runs(lab, 4, 0), finished_runs(lab, 4, 5000)
    assert one[0][0] != other[0][0]


# -- the studies ----------------------------------------------------------------------------------


STUDIES = {"ablation": ablation, "calibration": calibration, "composite": composite}


def run_study(name, *words):
    return CliRunner().invoke(STUDIES[name].app, list(map(str, words)))


def test_calibration_prints_units_seeds_and_versions(tmp_path):
    out, plot, table = (tmp_path / name for name in ("out.json", "plot.png", "table.md"))
    result = run_study(
        "calibration", "--truth", "standard,unlike", "--model", "gp,mean", "--sizes", "6,10",
        "--seeds", 2, "--test", 12, "--jobs", 1, "--out", out, "--plot", plot, "--markdown", table,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    for expected in ("NLPD", "[nat]", "90 % intervals [%]", "seeds 0–1", "unlike: mean", "worst",
                     "less that of gp", "botorch", "cores"):  # fmt: skip
        assert expected in result.stdout
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert "| standard: gp |" in table.read_text()
    assert json.loads(out.read_text())["kind"] == "calibration"


def test_ablation_json_is_one_document(monkeypatch):
    monkeypatch.setattr("engine.bench.models.paper_mlp.EPOCHS", 2)
    result = run_study("ablation", "--row", "published network", "--sizes", 5, "--seeds", 1,
                    "--test", 8, "--jobs", 1, "--json")  # fmt: skip
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert list(document["summary"]["rows"]) == ["no sources", "published network"]


def test_composite_runs(monkeypatch):
    rows = tuple(row for row in COMPOSITE if not sources.is_sourced(row.model))
    monkeypatch.setattr("engine.bench.models.rows.COMPOSITE", rows)  # pretraining has tests
    monkeypatch.setattr("engine.bench.models.paper_mlp.EPOCHS", 2)
    result = run_study("composite", "--sizes", 8, "--seeds", 1, "--test", 8, "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert "published network = paper_mlp on composite" in result.stdout


def test_the_table_for_documents_has_the_hypervolume_where_it_was_run(run):
    document = run()
    loops = {"plain": {"final": 0.812, "sd": 0.03}}
    text = markdown({**document, "final_hypervolume": loops})
    assert text.count("\n|") == 4
    assert "81.2 ± 3.0 |" in text
    assert text.rstrip().endswith("– |")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ablation", "--row", "nothing"], "--row: expected one of no sources"),
        (["ablation", "--sizes", "8,many"], "--sizes: expected whole numbers"),
        (["calibration", "--model", "gpp"], "Did you mean 'gp'"),
        (["calibration", "--truth", "unlik"], "Did you mean 'unlike'"),
        (["composite", "--markdown", "/no/such/table.md"], "expected a folder"),
        (["composite", "--jobs", "-1"], "--jobs"),
    ],
)
def test_mistakes_are_told_in_a_line(words, told):
    result = run_study(*words)
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert "Traceback" not in result.output
