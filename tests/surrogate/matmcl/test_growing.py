"""A grown model says what it said before, and has room for more."""

from __future__ import annotations

import pytest
import torch

from surrogate.errors import InputError
from surrogate.matmcl.config import MatMCLConfig
from surrogate.matmcl.growing import grown
from surrogate.matmcl.model import MatMCL
from surrogate.matmcl.vocabulary import ParameterSpec, Vocabulary

A, B, C = (ParameterSpec(name, "kV", False, 1.0, 2.0) for name in "abc")
SMALL = {"width": 16, "depth": 1, "latent_dim": 8, "projection_dim": 8, "n_deviations": 3}


def model_of(encoder: str = "mlp") -> MatMCL:
    config = MatMCLConfig(table_encoder=encoder, tile_px=32, **SMALL)  # type: ignore[arg-type]
    torch.manual_seed(0)
    return MatMCL(config, Vocabulary((A, B), ("x", "y")), ("ensemble", "old"))


def test_says_what_it_said_where_the_new_is_missing() -> None:
    model = model_of().eval()
    wider = grown(model, Vocabulary((B, C, A), ("y", "z", "x")), ("new", "ensemble"))
    T = torch.randn(5, 2, 3)
    T[..., 2] = 1.0
    wide = torch.zeros(5, 3, 3)
    wide[:, 2], wide[:, 0] = T[:, 0], T[:, 1]
    with torch.no_grad():
        before = model.heads(T, "ensemble")
        after = wider.heads(wide, "ensemble")
        new = wider.heads(wide, "new")
    torch.testing.assert_close(after[:, [2, 0]], before)
    torch.testing.assert_close(new[:, [2, 0]], before[..., :1])
    torch.testing.assert_close(wider.log_noise[1, [2, 0]], model.log_noise[0])
    assert wider.sources == ("new", "ensemble")
    assert not wider.training


def test_a_transformer_keeps_its_tokens() -> None:
    model = model_of("ft_transformer").eval()
    same = grown(model, model.vocabulary, ("old",))
    T = torch.rand(4, 2, 3)
    with torch.no_grad():
        torch.testing.assert_close(same.heads(T, "old"), model.heads(T, "old"))
    wider = grown(model, Vocabulary((A, B, C), ("x", "y")), ("old",))
    assert torch.equal(
        wider.state_dict()["table.offset"][-1], model.state_dict()["table.offset"][-1]
    )


def test_other_scales_are_refused() -> None:
    model = model_of()
    other = ParameterSpec("a", "V", False, 1.0, 2.0)
    with pytest.raises(InputError, match="a: the model knows it on another scale"):
        grown(model, Vocabulary((other, B), ("x", "y")), ("old",))
