"""A fitted model asked by many threads while another fits: every answer as in one thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from virtual_runs import TWO, draw

from engine.campaign.history import History
from engine.lab import VirtualLab
from engine.propose import Forecaster
from engine.workspace.settings import ProposeSettings
from surrogate.gp import fit_outcomes, joint_moments


def test_eight_threads_get_what_one_thread_gets() -> None:
    history = History(VirtualLab().campaign, tuple(draw(24, seed=5, outcomes=TWO)))
    forecaster = Forecaster.fit(history, ProposeSettings())
    X = np.random.default_rng(0).random((50, forecaster.space.d))
    single = [forecaster.moments(x[None]) for x in X]
    joint = [moments.clone() for moments in joint_moments(forecaster.model, torch.from_numpy(X))]
    stop = threading.Event()

    def fit_on() -> None:
        x = torch.linspace(0, 1, 12, dtype=torch.double).unsqueeze(-1)
        while not stop.is_set():
            fit_outcomes(x, torch.sin(5 * x))
            stop.wait(0.05)

    def ask(thread: int) -> None:
        for turn in range(250):
            place = (7 * turn + thread) % len(X)
            mean, variance = forecaster.moments(X[place : place + 1])
            np.testing.assert_array_equal(mean, single[place][0])
            np.testing.assert_array_equal(variance, single[place][1])
            if turn % 50 == 0:
                for moments, expected in zip(
                    joint_moments(forecaster.model, torch.from_numpy(X)), joint, strict=True
                ):
                    torch.testing.assert_close(moments, expected, rtol=0, atol=0)

    fitting = threading.Thread(target=fit_on)
    fitting.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            for answer in [pool.submit(ask, thread) for thread in range(8)]:
                answer.result()
    finally:
        stop.set()
        fitting.join()
