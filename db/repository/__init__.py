"""One repository a noun: the only code that writes. Plain frozen records in and out."""

from db.repository.batches import Batches
from db.repository.campaigns import Campaigns
from db.repository.experiments import Experiments
from db.repository.measurements import Measurements
from db.repository.micrographs import Micrographs
from db.repository.models import Models
from db.repository.sources import Sources

__all__ = [
    "Batches",
    "Campaigns",
    "Experiments",
    "Measurements",
    "Micrographs",
    "Models",
    "Sources",
]
