"""Curves as a modality: read where they are, never where they are not, and nothing without them."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.sources.serving_surrogate import STARTER
from surrogate.errors import InputError
from surrogate.matmcl.checkpoint import load_checkpoint, save_checkpoint
from surrogate.matmcl.curves import CurveEncoder, resample_curve
from surrogate.matmcl.data import SourceTensors, fingerprint
from surrogate.matmcl.growing import grown
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.train import train
from surrogate.matmcl.vocabulary import Vocabulary
from tests.surrogate.matmcl.conftest import BRIEF, SMALL, WORDS, conditions, make, simulated, table

POINTS = 16
CURVED = dataclasses.replace(SMALL, curve_points=POINTS)
TWO_WAYS = Vocabulary(
    WORDS.parameters, ("strength.longitudinal", "strength.transverse", "thickness")
)


def pulled(n: int = 40, name: str = "own runs", *, has_tiles: bool = False) -> SourceTensors:
    """Runs whose second outcome no condition tells: it is how far a curve's second half rises.

    Two of three have a curve, every fifth of these two.
    """
    generator = torch.Generator().manual_seed(7)
    T = conditions(n, seed=5)
    hidden = torch.randn(n, generator=generator)
    y = torch.stack([T[:, 0, 0], hidden], dim=1)
    owner = torch.tensor([row for row in range(n) if row % 3 for _ in range(1 + (row % 5 == 0))])
    u = torch.linspace(0, 1, POINTS)
    form = 0.5 + 0.1 * hidden[owner].unsqueeze(1) * (u - 0.5) + 0.3 * u
    curves = torch.cat([form, torch.zeros(len(owner), 2)], dim=1)
    tiles = simulated().tiles[: n // 2] if has_tiles else None
    tile_owner = torch.arange(n // 2) if has_tiles else None
    return SourceTensors(
        name, T, y, torch.zeros(n, dtype=torch.int64), tiles, tile_owner,
        curves=curves, curve_owner=owner, curve_direction=torch.zeros_like(owner),
    )  # fmt: skip


def without_curves(source: SourceTensors) -> SourceTensors:
    return dataclasses.replace(source, curves=None, curve_owner=None, curve_direction=None)


def rows_of(source: SourceTensors) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return conditions, curves and what is there of the rows that have a curve."""
    rows = source.curve_owner.unique()
    first = [int((source.curve_owner == row).nonzero()[0]) for row in rows]
    curves = source.curves[first].unsqueeze(1)
    return source.table[rows], curves, torch.ones(len(rows), 1, dtype=torch.bool)


def test_a_curve_is_read_by_its_form_and_its_scales() -> None:
    strain = np.linspace(0, 0.5, 101)
    read = resample_curve(strain, 40.0 * strain, 11)
    torch.testing.assert_close(read[:11], torch.linspace(0, 1, 11))
    assert read[11:].tolist() == pytest.approx([math.log(0.5), math.log(2.0)])
    noisy = strain.copy()
    noisy[50] = noisy[48]  # an extensometer's noise
    assert torch.isfinite(resample_curve(noisy, 40.0 * strain, 11)).all()


@pytest.mark.parametrize(
    ("strain", "stress"),
    [
        (np.linspace(0, 1, 4), np.linspace(0, 1, 4)),
        (np.linspace(0, 1, 20), np.linspace(0, 1, 19)),
        (np.linspace(0, 1, 20), np.full(20, np.nan)),
        (np.linspace(-1, 0, 20), np.linspace(0, 1, 20)),
        (np.linspace(0, 1, 20), np.zeros(20)),
    ],
)
def test_what_is_no_curve_is_refused(strain: np.ndarray, stress: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected a curve of 8 finite samples"):
        resample_curve(strain, stress)


def test_a_missing_curve_is_never_read() -> None:
    torch.manual_seed(0)
    encoder = CurveEncoder(POINTS, 2, 8)
    with torch.no_grad():
        encoder.direction.normal_()
    curves = torch.rand(4, 2, POINTS + 2)
    present = torch.tensor([[True, True], [True, False], [False, True], [False, False]])
    holed = torch.where(present.unsqueeze(-1), curves, torch.nan)
    latent = encoder(holed, present)
    assert torch.equal(latent[3], torch.zeros(8))
    each = [encoder(curves, present & torch.tensor(way)) for way in ([True, False], [False, True])]
    torch.testing.assert_close(latent[0], (each[0][0] + each[1][0]) / 2)
    torch.testing.assert_close(latent[1], each[0][1])
    torch.testing.assert_close(latent[2], each[1][2])
    with pytest.raises(InputError, match=r"expected curves of shape \(n, 2, 18\)"):
        encoder(curves[..., :-1], present)


def test_a_model_with_curves_says_the_same_without_them() -> None:
    plain, curved = make().eval(), make(CURVED).eval()
    T, tiles = conditions(4), torch.rand(4, 1, 32, 32)
    assert torch.equal(curved.heads(T), plain.heads(T))
    joint = [m.merge(m.table_latent(T), m.vision_latent(tiles)) for m in (plain, curved)]
    assert torch.equal(*joint)
    with pytest.raises(InputError, match="no curve encoder"):
        plain.heads_with_curves(T, torch.rand(4, 1, 18), torch.ones(4, 1).bool(), "ensemble")
    with pytest.raises(InputError, match="no curve encoder"):
        plain.merge(plain.table_latent(T), None)


def test_data_without_curves_teach_the_same_to_the_last_bit() -> None:
    plain, curved = make(sources=("own runs",)), make(CURVED, ("own runs",))
    source = without_curves(pulled(has_tiles=True))
    history = [train(model, [source], BRIEF) for model in (plain, curved)]
    assert history[0] == history[1]
    curved_weights = curved.state_dict()
    assert all(torch.equal(value, curved_weights[k]) for k, value in plain.state_dict().items())
    assert fingerprint([source]) != fingerprint([pulled(has_tiles=True)])


def test_a_given_curve_tells_what_conditions_do_not() -> None:
    source = pulled(60)
    settings = dataclasses.replace(
        BRIEF, steps=120, learning_rate=1e-2, mask_rate=0.0, tiles_per_batch=32
    )
    model = make(CURVED, ("own runs",))
    history = train(model, [source], settings)
    assert history[-1]["curves"] < history[0]["curves"] - 0.2
    assert history[-1]["contrastive"] < history[0]["contrastive"]
    T, curves, present = rows_of(source)
    y = source.outcomes[source.curve_owner.unique()]
    with torch.no_grad():
        given, log_noise = model.heads_with_curves(T, curves, present, "own runs")
        alone = model.heads(T, "own runs")[..., 0]
    missed, missed_alone = ((y - mean)[:, 1].square().mean() for mean in (given, alone))
    assert missed < 0.2 * y[:, 1].var()
    assert missed < 0.6 * missed_alone
    assert log_noise.shape == given.shape


def test_a_resumed_training_with_curves_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    source = pulled(has_tiles=True)
    whole, broken, resumed = (make(CURVED, ("own runs",)) for _ in range(3))
    history = train(whole, [source], BRIEF, checkpoint_dir=tmp_path / "whole")
    steps = iter(range(5))
    with pytest.raises(KeyboardInterrupt):
        train(
            broken, [source], BRIEF, checkpoint_dir=tmp_path / "broken",
            should_stop=lambda: next(steps) == 3,
        )  # fmt: skip
    again = train(resumed, [source], BRIEF, checkpoint_dir=tmp_path / "broken", resume=True)
    assert again == history
    weights = whole.state_dict()
    assert all(torch.equal(value, weights[k]) for k, value in resumed.state_dict().items())


def test_curves_are_stored_and_tables_alone_spare_them(tmp_path: Path) -> None:
    model = make(CURVED, ("own runs",)).eval()
    save_checkpoint(tmp_path, model)
    T, curves, present = rows_of(pulled())
    loaded, spare = load_checkpoint(tmp_path), load_checkpoint(tmp_path, parts="table")
    for one, other in zip(
        model.heads_with_curves(T, curves, present, "own runs"),
        loaded.heads_with_curves(T, curves, present, "own runs"),
        strict=True,
    ):
        assert torch.equal(one, other)
    assert torch.equal(spare.heads(T), model.heads(T))
    assert spare.curve is None


def test_a_card_without_curves_is_what_it_was(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, make())
    card = json.loads((tmp_path / "matmcl.json").read_text())
    assert "curve_points" not in card["config"]
    before = json.loads((STARTER / "matmcl.json").read_text())["config"]
    assert set(before) == set(card["config"])


def test_the_starter_loads_and_says_the_same_with_a_curve_encoder_beside_it() -> None:
    starter = load_checkpoint(STARTER)
    assert starter.curve is None
    copy = grown(starter, starter.vocabulary, starter.sources, curve_points=POINTS)
    T = torch.rand(6, len(starter.vocabulary.parameters), 3, generator=torch.manual_seed(0))
    table_only = load_checkpoint(STARTER, parts="table")
    assert torch.equal(copy.heads(T), starter.heads(T))
    assert torch.equal(table_only.heads(T), starter.heads(T))
    assert copy.config.curve_points == POINTS
    assert starter.config.curve_points == 0


def test_growing_keeps_directions_by_name() -> None:
    model = MatMCL(CURVED, TWO_WAYS, ("own runs",))
    with torch.no_grad():
        model.curve.encoder.direction.normal_()
        model.curve.log_noise.normal_()
    assert TWO_WAYS.directions == ("", "longitudinal", "transverse")
    fewer = Vocabulary(WORDS.parameters, ("new.diagonal", "strength.transverse"))
    copy = grown(model, fewer, ("own runs", "archive"))
    assert fewer.directions == ("diagonal", "transverse")
    assert torch.equal(copy.curve.encoder.direction[1], model.curve.encoder.direction[2])
    assert torch.equal(copy.curve.encoder.direction[0], torch.zeros(8))
    assert copy.curve.log_noise[0, 1] == model.curve.log_noise[0, 1]
    assert torch.equal(copy.curve.encoder.leave.weight, model.curve.encoder.leave.weight)
    assert copy.config.curve_points == POINTS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"curve_owner": None}, "owner and direction of each curve"),
        ({"curves": torch.zeros(31, 7)}, r"expected curves \(c, 18\)"),
        ({"curve_owner": torch.full((31,), 40)}, "owner is not one of its rows"),
        ({"curve_direction": torch.full((31,), 1)}, "direction is none of the outcomes'"),
        ({"curves": torch.full((31, 18), torch.nan)}, "finite curves"),
    ],
)
def test_curves_that_do_not_fit_are_refused(change: dict, message: str) -> None:
    source = pulled()
    broken = dataclasses.replace(source, **change)
    with pytest.raises(InputError, match=message):
        train(make(CURVED, ("own runs",)), [broken], BRIEF)


def test_a_model_without_a_curve_encoder_refuses_curves() -> None:
    with pytest.raises(InputError, match="no curve encoder"):
        train(make(sources=("own runs",)), [pulled()], BRIEF)


def test_rows_of_several_sources_mix() -> None:
    """Simulated labs with tiles, an archive with neither, own runs with curves."""
    sources = [simulated(), table(), pulled()]
    names = tuple(source.name for source in sources)
    history = train(make(CURVED, names), sources, dataclasses.replace(BRIEF, steps=2))
    assert all(math.isfinite(value) for entry in history for value in entry.values())
    assert {"contrastive", "curves", "source.archive"} <= set(history[-1])
