"""A blind look: can a network that was taught to tell drawn from true pictures do so?

It learns from pictures of other conditions than it is asked about, drawn and true in equal parts,
and says of each further one whether it was drawn. Half right is what guessing gives: 50 % means
that the pictures cannot be told apart by it, 100 % that they look different in something.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from generator.data import FLIPS, mirrored

STEPS, BATCH, RATE = 400, 32, 2e-3
_LEVEL = 0.95


@dataclass(frozen=True)
class BlindLook:
    """How many of ``n`` pictures were told right; ``lower``, ``upper``: Wilson's 95 % interval.

    ``drawn_as_true``: the share of drawn pictures that were taken for true ones.
    """

    n: int
    n_right: int
    accuracy: float
    lower: float
    upper: float
    drawn_as_true: float


def blind_look(
    lessons: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    questions: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    seed: int = 0,
    *,
    steps: int = STEPS,
) -> BlindLook:
    """Teach a judge on ``lessons``, drawn and true pictures (n, s, s) each, and ask it of others.

    Raises:
        ValueError: a kind of picture is missing.
    """
    if not all(len(part) for part in (*lessons, *questions)):
        raise ValueError("expected drawn and true pictures to learn from and to be asked of")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        judge = _taught(lessons, seed, steps)
    with torch.no_grad():
        drawn, true = (torch.sigmoid(judge(_scaled(torch.from_numpy(part)))) for part in questions)
    n_drawn, n_true = int((drawn > 0.5).sum()), int((true <= 0.5).sum())
    n, right = len(drawn) + len(true), n_drawn + n_true
    lower, upper = wilson(right, n)
    return BlindLook(n, right, right / n, lower, upper, 1.0 - n_drawn / len(drawn))


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval of a share.

    >>> tuple(round(end, 3) for end in wilson(40, 80))
    (0.393, 0.607)
    """
    from scipy.stats import binomtest

    interval: Any = binomtest(right, n).proportion_ci(_LEVEL, method="wilson")
    return float(interval.low), float(interval.high)


def _taught(
    lessons: tuple[NDArray[np.uint8], NDArray[np.uint8]], seed: int, steps: int
) -> nn.Module:
    pictures = torch.from_numpy(np.concatenate(lessons))
    is_drawn = torch.cat([torch.ones(len(lessons[0])), torch.zeros(len(lessons[1]))])
    # Drawn and true ones alike often, however many there are.
    weights = torch.where(is_drawn > 0.5, 1.0 / len(lessons[0]), 1.0 / len(lessons[1]))
    luck = torch.Generator().manual_seed(seed)
    judge = _Judge()
    optimiser = torch.optim.AdamW(judge.parameters(), lr=RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=max(steps, 10))
    judge.train()
    for _ in range(steps):
        chosen = torch.multinomial(weights, BATCH, replacement=True, generator=luck)
        flips = torch.randint(len(FLIPS), (BATCH,), generator=luck)
        logits = judge(_scaled(mirrored(pictures[chosen], flips)))
        loss = functional.binary_cross_entropy_with_logits(logits, is_drawn[chosen])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    return judge.eval()


def _scaled(pictures: Tensor) -> Tensor:
    return pictures[:, None].float() / 127.5 - 1.0


class _Judge(nn.Module):
    """Pictures (n, 1, s, s) → how surely each was drawn, a logit (n,)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (1, 16, 32, 64, 64)
        self.features = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(n, width, 3, stride=2, padding=1),
                    nn.GroupNorm(8, width),
                    nn.SiLU(),
                )
                for n, width in itertools.pairwise(widths)
            )
        )
        self.head = nn.Linear(2 * widths[-1], 1)

    def forward(self, pictures: Tensor) -> Tensor:
        features = self.features(pictures).flatten(2)
        # What is everywhere, and what is anywhere.
        pooled = torch.cat([features.mean(dim=2), features.amax(dim=2)], dim=1)
        answer: Tensor = self.head(pooled)[:, 0]
        return answer
