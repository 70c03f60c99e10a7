"""Simulated labs drawn at random from what the electrospinning literature holds to be possible.

Each lab has laws, constants, noise, rooms and a campaign of its own: whether a power law or a
saturating one ties diameter to concentration, which way voltage works, how soon a fast collector
aligns fibres, how a network carries load. Ranges and forms come from the papers named in
:mod:`~engine.lab.ensemble.jet`, :mod:`~engine.lab.ensemble.alignment` and
:mod:`~engine.lab.ensemble.mechanics`; no measured table went into them.
"""

from engine.lab.ensemble.labs import (
    HELD_OUT_SEEDS,
    PRETRAINING_SEEDS,
    SimulatedLab,
    bad_lab,
    draw_lab,
    family_lab,
    related,
    serving_lab,
)

__all__ = [
    "HELD_OUT_SEEDS",
    "PRETRAINING_SEEDS",
    "SimulatedLab",
    "bad_lab",
    "draw_lab",
    "family_lab",
    "related",
    "serving_lab",
]
