"""A campaign's records made by hand: no database, no model."""

from pathlib import Path

import pytest
from material import MakeMaterial, maker

from engine.campaign import Campaign
from engine.workspace.settings import read_campaign_file


@pytest.fixture(scope="session")
def nanofibre() -> Campaign:
    return read_campaign_file(Path(__file__).parents[3] / "config.toml")


@pytest.fixture
def make_material(nanofibre: Campaign) -> MakeMaterial:
    """Return a maker of material: imported runs, then proposed ones, of which the last wait."""
    return maker(nanofibre)
