from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path

import pytest
import torch

from surrogate.errors import CheckpointError, FitError, InputError
from surrogate.matmcl.batches import Plan
from surrogate.matmcl.data import SourceTensors, fingerprint
from surrogate.matmcl.loss import lab_likelihood
from surrogate.matmcl.train import rate, train
from surrogate.training_state import latest
from tests.surrogate.matmcl.conftest import BRIEF, SMALL, make, simulated, table

BOTH = ("ensemble", "archive")
DROPPED = dataclasses.replace(SMALL, dropout=0.2)


def weights(model) -> dict[str, torch.Tensor]:
    return {name: one.clone() for name, one in model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_all_losses_fall() -> None:
    model = make(sources=BOTH)
    settings = dataclasses.replace(BRIEF, steps=60, report_every=1, rows_per_lab=8)
    history = train(model, [simulated(), table()], settings)
    for name in ("loss", "source.ensemble", "source.archive", "contrastive"):
        values = [entry[name] for entry in history]
        assert sum(values[-10:]) < 0.8 * sum(values[:10]), name
    assert not model.training


def test_deviation_heads_learn_how_labs_differ() -> None:
    """The toy labs differ along z₂ in the first outcome: heads must beat a mean alone."""
    config = dataclasses.replace(SMALL, contrastive_weight=0.0)
    settings = dataclasses.replace(BRIEF, steps=300, mask_rate=0.0, learning_rate=1e-2)
    source = simulated(labs=40)
    model = make(config)
    train(model, [source], settings)
    with torch.no_grad():
        H, noise = model.heads(source.table), model.log_noise[0]
        full = lab_likelihood(H, source.outcomes, source.lab, noise).sum(dim=0)
        mean = lab_likelihood(H[..., :1], source.outcomes, source.lab, noise).sum(dim=0)
    assert full[0] > mean[0] + 100
    assert noise[0].exp() < 0.2  # the labs' own spread is 1


def test_a_seed_fixes_every_number() -> None:
    runs = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(runs))  # what happens outside does not matter
        model = make(DROPPED, BOTH)
        history = train(model, [simulated(), table()], dataclasses.replace(BRIEF, seed=seed))
        runs.append((history, weights(model)))
    assert runs[0][0] == runs[1][0]
    assert same(runs[0][1], runs[1][1])
    assert not same(runs[0][1], runs[2][1])


def test_training_leaves_the_callers_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(make(), [simulated()], dataclasses.replace(BRIEF, steps=2))
    assert torch.equal(torch.rand(3), expected)


class StopError(Exception):
    pass


@pytest.mark.parametrize("vision", ["resnet", "convnext"])
@pytest.mark.parametrize("holdout", [0.0, 0.25])
def test_a_resumed_run_ends_where_an_unbroken_one_does(
    tmp_path: Path, vision: str, holdout: float
) -> None:
    config = dataclasses.replace(DROPPED, vision_encoder=vision)
    settings = dataclasses.replace(BRIEF, holdout=holdout, evaluate_every=2)
    sources = [simulated(), table()]
    whole = make(config, BOTH)
    history = train(whole, sources, settings, checkpoint_dir=tmp_path / "whole")

    def stop(_stage: str, step: int = 0, *_: object) -> None:
        if step >= 4:
            raise StopError

    broken = make(config, BOTH)
    with pytest.raises(StopError):
        train(broken, sources, settings, checkpoint_dir=tmp_path / "broken", progress=stop)
    assert latest(tmp_path / "broken").name == "step-0000003"
    resumed = make(config, BOTH)
    again = train(resumed, sources, settings, checkpoint_dir=tmp_path / "broken", resume=True)
    assert again == history
    assert same(weights(resumed), weights(whole))
    assert [one.name for one in (tmp_path / "broken").iterdir()] == ["step-0000008"]
    done = make(config, BOTH)
    assert (
        train(done, sources, settings, checkpoint_dir=tmp_path / "broken", resume=True) == history
    )
    assert same(weights(done), weights(whole))


def test_nothing_kept_is_a_pickle(tmp_path: Path) -> None:
    train(make(), [simulated()], BRIEF, checkpoint_dir=tmp_path)
    kept = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert kept == ["matmcl.json", "model.safetensors", "optimiser.safetensors", "training.json"]


def test_an_interrupt_leaves_a_checkpoint_to_go_on_from(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)

    def interrupt(_stage: str, step: int = 0, *_: object) -> None:
        if step == 4:
            os.kill(os.getpid(), signal.SIGINT)

    sources = [simulated()]
    with pytest.raises(KeyboardInterrupt):
        train(make(), sources, BRIEF, checkpoint_dir=tmp_path, progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    assert latest(tmp_path).name == "step-0000004"
    resumed, whole = make(), make()
    train(resumed, sources, BRIEF, checkpoint_dir=tmp_path, resume=True)
    train(whole, sources, BRIEF)
    assert same(weights(resumed), weights(whole))


def test_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    train(make(), [simulated()], BRIEF, checkpoint_dir=tmp_path)
    other = dataclasses.replace(BRIEF, learning_rate=1e-3)
    with pytest.raises(CheckpointError, match=r"learning_rate 0\.003 → 0\.001"):
        train(make(), [simulated()], other, checkpoint_dir=tmp_path, resume=True)
    with pytest.raises(CheckpointError, match="other data"):
        train(make(), [simulated(labs=11)], BRIEF, checkpoint_dir=tmp_path, resume=True)
    wider = make(dataclasses.replace(SMALL, width=20))
    with pytest.raises(CheckpointError, match="another model"):
        train(wider, [simulated()], BRIEF, checkpoint_dir=tmp_path, resume=True)
    damaged = latest(tmp_path) / "optimiser.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0")
    with pytest.raises(CheckpointError, match="SHA-256"):
        train(make(), [simulated()], BRIEF, checkpoint_dir=tmp_path, resume=True)
    train(make(), [simulated()], other, checkpoint_dir=tmp_path)  # starts anew


def test_stops_early_and_keeps_the_best() -> None:
    settings = dataclasses.replace(
        BRIEF, steps=300, holdout=0.3, evaluate_every=5, patience=2, learning_rate=0.05, warmup=0
    )
    history = train(make(sources=("archive",)), [table()], settings)
    looks = [entry["held_out"] for entry in history if "held_out" in entry]
    assert history[-1]["step"] < 300
    assert min(looks) not in looks[-2:]


def test_progress_is_told() -> None:
    told = []
    train(make(), [simulated()], BRIEF, progress=lambda *words: told.append(words))
    assert [step for *step, _ in told] == [["training", k, 8] for k in (2, 4, 6, 8)]
    assert {"loss", "source.ensemble", "contrastive", "rate", "step"} == set(told[0][3])


def test_pictures_may_be_learnt_from_in_bfloat16() -> None:
    single, half = (
        train(make(), [simulated()], dataclasses.replace(BRIEF, precision=precision))
        for precision in ("no", "bf16")
    )
    assert half != single
    for a, b in zip(single, half, strict=True):
        assert a == pytest.approx(b, rel=0.1, abs=0.1)


def test_pictures_every_other_step_take_their_turns() -> None:
    settings = dataclasses.replace(BRIEF, contrastive_every=2, report_every=1)
    history = train(make(), [simulated()], settings)
    assert ["contrastive" in entry for entry in history] == [False, True] * 4
    source, seen = simulated(), []
    plan = Plan([source], dataclasses.replace(settings, mask_rate=0.0, tiles_per_batch=20))
    for step in (1, 3, 5):
        seen += plan.batch(step, with_pairs=True).pairs.table[:, 0, 0].tolist()
    assert sorted(seen) == sorted(source.table[source.tile_owner, 0, 0].tolist())


def test_without_pictures_the_table_side_learns_alone() -> None:
    history = train(make(), [simulated(tiles=False)], BRIEF)
    assert "contrastive" not in history[-1]


def test_the_rate_warms_up_and_falls() -> None:
    rates = [rate(step, BRIEF) for step in range(BRIEF.steps)]
    assert rates[0] == pytest.approx(BRIEF.learning_rate / 2)
    assert max(rates) == pytest.approx(BRIEF.learning_rate)
    assert sorted(rates[2:], reverse=True) == rates[2:]


def test_every_lab_is_seen_whole_once_in_a_pass() -> None:
    source = simulated(labs=12, rows=10)
    plan = Plan([source], dataclasses.replace(BRIEF, mask_rate=0.0))
    seen = []
    for step in range(3):
        rows = plan.batch(step, with_pairs=False).rows[0]
        assert torch.bincount(rows.lab).tolist() == [10] * 4
        seen += rows.table[:, 0, 0].tolist()
    assert sorted(seen) == sorted(source.table[:, 0, 0].tolist())


def test_tiles_go_with_their_rows_and_held_out_labs_show_none() -> None:
    source = simulated(labs=12, rows=10)
    numbered = torch.arange(len(source.tile_owner), dtype=torch.uint8)
    tiles = numbered.view(-1, 1, 1).expand(-1, 32, 32).contiguous()
    source = dataclasses.replace(source, tiles=tiles)
    settings = dataclasses.replace(BRIEF, mask_rate=0.0, holdout=0.5)
    plan = Plan([source], settings)
    held = torch.cat([rows.table for rows in plan.held_out()])[:, 0, 0].tolist()
    assert len(held) == 60
    for step in range(6):
        pairs = plan.batch(step, with_pairs=True).pairs
        owners = source.tile_owner[pairs.tiles[:, 0, 0].long()]
        assert torch.equal(pairs.table, source.table[owners])
        assert not set(pairs.table[:, 0, 0].tolist()) & set(held)


def test_hidden_parameters_are_hidden_for_a_whole_lab() -> None:
    plan = Plan([simulated()], dataclasses.replace(BRIEF, mask_rate=0.5))
    rows = plan.batch(0, with_pairs=False).rows[0]
    flags = [rows.table[rows.lab == lab][..., 2] for lab in range(4)]
    assert all((one == one[0]).all() for one in flags)
    assert 0 < torch.cat(flags).mean() < 1


def test_replicates_stay_on_one_side_of_the_split() -> None:
    source = table(20)
    twice = SourceTensors(
        "archive", source.table.repeat(2, 1, 1), source.outcomes.repeat(2, 1),
        source.lab.repeat(2),
    )  # fmt: skip
    plan = Plan([twice], dataclasses.replace(BRIEF, holdout=0.3, rows_per_batch=100))
    held = {tuple(row) for rows in plan.held_out() for row in rows.table[:, :, 0].tolist()}
    seen = {tuple(row) for row in plan.batch(0, with_pairs=False).rows[0].table[:, :, 0].tolist()}
    assert held
    assert not held & seen


def broken(**words) -> SourceTensors:
    return dataclasses.replace(simulated(), **words)


@pytest.mark.parametrize(
    ("sources", "match"),
    [
        ([], "at least one source"),
        ([simulated(), simulated()], "each source once"),
        ([broken(outcomes=torch.zeros(3, 2))], "expected table"),
        ([broken(outcomes=torch.full((120, 2), torch.inf))], "got infinity"),
        ([broken(table=torch.full((120, 2, 3), torch.nan).fill_(1).mul(torch.inf))], "infinite"),
        ([broken(table=torch.zeros(120, 2, 3))], "none of the model's parameters"),
        ([broken(tile_owner=None)], "an owner for each tile"),
        ([broken(tiles=torch.zeros(60, 16, 16, dtype=torch.uint8))], "tiles"),
        ([broken(tile_owner=torch.full((60,), 120))], "not one of its rows"),
        ([broken(name="nobody")], "source 'nobody'"),
    ],
)
def test_sources_that_do_not_fit(sources, match) -> None:
    with pytest.raises(InputError, match=match):
        train(make(), sources, BRIEF)


def test_a_loss_that_blows_up_is_told() -> None:
    wild = dataclasses.replace(
        BRIEF, learning_rate=1e30, warmup=0, clip=1e30, report_every=1, steps=20
    )
    with pytest.raises((FitError, torch.linalg.LinAlgError)):
        train(make(), [simulated()], wild)


def test_equal_data_have_equal_fingerprints() -> None:
    assert fingerprint([simulated()]) == fingerprint([simulated()])
    changed = simulated()
    changed.outcomes[3, 0] += 1e-6
    assert fingerprint([changed]) != fingerprint([simulated()])


def test_a_gpu_that_is_not_there_is_told() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(InputError, match="expected a GPU"):
        train(make(), [simulated()], dataclasses.replace(BRIEF, device="cuda"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU, found none")
def test_a_gpu_gives_the_same_losses() -> None:
    quiet = dataclasses.replace(BRIEF, noise=0.0, report_every=1, precision="no")
    sources = [simulated(), table()]
    on_cpu = train(make(sources=BOTH), sources, quiet)
    on_gpu = train(make(sources=BOTH), sources, dataclasses.replace(quiet, device="cuda"))
    for a, b in zip(on_cpu, on_gpu, strict=True):
        assert a == pytest.approx(b, rel=2e-2, abs=2e-2)
