"""One point for all outcomes of a lab: its likelihood, its place, and models that keep labs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from surrogate.errors import InputError
from surrogate.matmcl.checkpoint import load_checkpoint, save_checkpoint
from surrogate.matmcl.config import MatMCLConfig
from surrogate.matmcl.growing import grown
from surrogate.matmcl.lab_latent import joint_likelihood, lab_places
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.objective import source_loss
from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary

ROWS, M, K = 6, 2, 3
KEEPING = MatMCLConfig(
    width=8, depth=1, latent_dim=8, projection_dim=4, n_deviations=K, n_labs=5, tile_px=32
)
WORDS = Vocabulary((ParameterSpec("voltage", "kV", False, 18.0, 4.0),), ("strength", "strain"))


def _lab(seed: int, labs: int = 2) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return H, y (with a hole), the lab of each row, and ln σ²."""
    generator = torch.Generator().manual_seed(seed)
    n = labs * ROWS
    H = torch.randn(n, M, 1 + K, generator=generator, dtype=torch.double)
    y = torch.randn(n, M, generator=generator, dtype=torch.double)
    y[1, 0] = torch.nan
    log_noise = torch.tensor([-1.0, 0.3], dtype=torch.double)
    return H, y, torch.arange(labs).repeat_interleave(ROWS), log_noise


def _contrasts(y: Tensor) -> tuple[Tensor, Tensor]:
    """Return for one lab the orthonormal contrasts (levels drop out) over its measured values."""
    rows, owners = [], []
    for o in range(M):
        measured = (~torch.isnan(y[:, o])).nonzero().flatten()
        n = len(measured)
        centring = torch.eye(n, dtype=y.dtype) - 1.0 / n
        basis = torch.linalg.svd(centring)[0][:, : n - 1].T
        spread = torch.zeros(n - 1, y.numel(), dtype=y.dtype)
        spread[:, measured * M + o] = basis
        rows.append(spread)
        owners += [o] * (n - 1)
    return torch.cat(rows), torch.tensor(owners)


def test_the_likelihood_is_that_of_a_normal_without_levels() -> None:
    H, y, lab, log_noise = _lab(0)
    likelihood = joint_likelihood(H, y, lab, log_noise)
    for place in range(2):
        rows = lab == place
        C, owner = _contrasts(y[rows])
        r = C @ (y[rows].nan_to_num() - H[rows][..., 0]).flatten()
        U = C @ H[rows][..., 1:].flatten(0, 1)
        covariance = U @ U.T + torch.diag(log_noise.exp()[owner])
        normal = torch.distributions.MultivariateNormal(torch.zeros_like(r), covariance)
        assert float(likelihood[place]) == pytest.approx(float(normal.log_prob(r)), abs=1e-8)


def test_a_lab_lies_where_its_responses_place_it() -> None:
    H, _, lab, _ = _lab(1)
    z = torch.tensor([[1.0, -2.0, 0.5], [0.0, 1.0, -1.0]], dtype=torch.double)
    y = 7.0 + H[..., 0] + (H[..., 1:] * z[lab].unsqueeze(1)).sum(dim=-1)
    quiet = torch.full((M,), -9.0, dtype=torch.double)
    assert torch.allclose(lab_places(H, y, lab, quiet), z, atol=1e-2)


def test_shapes_that_do_not_fit_are_refused() -> None:
    H, y, lab, log_noise = _lab(2)
    with pytest.raises(InputError, match="expected H"):
        joint_likelihood(H[:-1], y, lab, log_noise)


@pytest.fixture
def keeping() -> MatMCL:
    torch.manual_seed(0)
    model = MatMCL(KEEPING, WORDS)
    with torch.no_grad():
        model.lab_points.normal_()
        model.lab_unit.copy_(torch.tensor([0.3, 0.2]))
        model.lab_noise.copy_(torch.tensor([[0.5, 0.1], [0.1, 0.4]]))
    return model


def test_labs_are_stored_and_no_step_moves_them(keeping: MatMCL, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, keeping, dtype="float16")
    again = load_checkpoint(tmp_path, parts="table")
    assert torch.allclose(again.lab_points, keeping.lab_points, atol=1e-2)
    assert torch.equal(again.lab_unit, keeping.lab_unit)
    assert torch.equal(again.lab_noise, keeping.lab_noise)
    assert not again.lab_points.requires_grad


def test_a_model_that_grows_takes_its_labs_along(keeping: MatMCL) -> None:
    wider = Vocabulary(WORDS.parameters, ("gloss", "strain", "strength"))
    copy = grown(keeping, wider, ("ensemble", "older"))
    assert torch.equal(copy.lab_points, keeping.lab_points)
    assert torch.allclose(copy.lab_unit, torch.tensor([1.0, 0.2, 0.3]))
    expected = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.4, 0.1], [0.0, 0.1, 0.5]])
    assert torch.allclose(copy.lab_noise, expected)


def test_models_that_keep_labs_share_one_point_among_outcomes(keeping: MatMCL) -> None:
    from surrogate.matmcl.batches import Rows

    table = torch.ones(8, 1, 3)
    table[:, 0, 0] = torch.linspace(-1, 1, 8)
    outcomes = torch.stack([table[:, 0, 0], -table[:, 0, 0]], dim=-1)
    rows = Rows("ensemble", table, outcomes, torch.zeros(8, dtype=torch.int64))
    joint = source_loss(keeping, rows)
    apart = MatMCL(replace(KEEPING, n_labs=0), WORDS)
    state = {k: v for k, v in keeping.state_dict().items() if not k.startswith("lab_")}
    apart.load_state_dict(state)
    assert float(joint.detach()) != pytest.approx(float(source_loss(apart, rows).detach()))
    joint.backward()
    assert keeping.property_heads[0].leave.weight.grad is not None
