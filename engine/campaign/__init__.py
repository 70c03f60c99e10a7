"""The domain: one search, what it may set, measures and wants, and what it knows so far."""

from engine.campaign.choices import Value
from engine.campaign.definition import (
    Campaign,
    LinearConstraint,
    Property,
)
from engine.campaign.objectives import Objective
from engine.campaign.parameters import Parameter

__all__ = [
    "Campaign",
    "LinearConstraint",
    "Objective",
    "Parameter",
    "Property",
    "Value",
]
