r"""The diffusion that both networks learn to turn back, and the solver that does it.

.. math:: x_t = \alpha_t x_0 + \sigma_t \epsilon, \qquad v_t = \alpha_t \epsilon - \sigma_t x_0

with the squared-cosine schedule (Nichol & Dhariwal 2021) over 1,000 steps; turned back by
DPM-Solver++ (Lu et al. 2022), second order, in some 20.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DDPMScheduler, DPMSolverMultistepScheduler
from torch import Tensor

N_STEPS = 1000


def training_scheduler(prediction: str) -> DDPMScheduler:
    """Return the forward diffusion; as a sampler it is the 1,000-step DDPM (Ho et al. 2020)."""
    return DDPMScheduler(
        num_train_timesteps=N_STEPS,
        beta_schedule="squaredcos_cap_v2",
        prediction_type=prediction,
        # diffusers clips to [−1, 1] unless told not to; standardised embeddings reach beyond.
        clip_sample=False,
    )


def fast_scheduler(prediction: str, **options: Any) -> DPMSolverMultistepScheduler:
    """Return DPM-Solver++ for the same diffusion."""
    return DPMSolverMultistepScheduler(
        num_train_timesteps=N_STEPS,
        beta_schedule="squaredcos_cap_v2",
        prediction_type=prediction,
        algorithm_type="dpmsolver++",
        solver_order=2,
        # Begins at pure noise, as drawing does; other spacings leave the last step out (Lin et al.,
        # WACV 2024).
        # https://arxiv.org/abs/2305.08891
        timestep_spacing="trailing",
        **options,
    )


def drawn_times(n: int, generator: torch.Generator) -> Tensor:
    """Return n timesteps, spread evenly over the whole diffusion, in random order."""
    # Stratified: in a batch of four, independent times would often all be early or all late.
    places = (torch.arange(n) + torch.rand(n, generator=generator)) / n
    return (places * N_STEPS).long()[torch.randperm(n, generator=generator)]


def noised(
    scheduler: DDPMScheduler, clean: Tensor, noise: Tensor, times: Tensor
) -> tuple[Tensor, Tensor]:
    """Return x_t and what the network has to say of it."""
    noisy = scheduler.add_noise(clean, noise, times)
    if scheduler.config.prediction_type == "epsilon":
        return noisy, noise
    return noisy, scheduler.get_velocity(clean, noise, times)
