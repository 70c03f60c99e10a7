"""Laboratories: the protocol that a lab follows, and a virtual one with a known truth."""

from engine.lab.composite import CompositeLab
from engine.lab.loading import load_lab
from engine.lab.protocol import KnownLab, Lab, LabResult, reference_ambient
from engine.lab.unlike import UnlikeLab
from engine.lab.virtual import OlderLab, VirtualLab

__all__ = [
    "CompositeLab",
    "KnownLab",
    "Lab",
    "LabResult",
    "OlderLab",
    "UnlikeLab",
    "VirtualLab",
    "load_lab",
    "reference_ambient",
]
