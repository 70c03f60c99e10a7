"""The domain: one search, what it may set, measures and wants, and what it knows so far."""

from engine.campaign.definition import (
    Campaign,
    LinearConstraint,
    Objective,
    Parameter,
    Property,
    Value,
)

__all__ = [
    "Campaign",
    "LinearConstraint",
    "Objective",
    "Parameter",
    "Property",
    "Value",
]
