"""One repository a noun: the only code that writes. Plain frozen records in and out."""

from db.repository.batches import Batches
from db.repository.campaigns import Campaigns
from db.repository.corrections import Corrections
from db.repository.curves import Curves
from db.repository.designs import Designs
from db.repository.embeddings import Embeddings
from db.repository.experiments import Experiments
from db.repository.leases import Leases
from db.repository.measurements import Measurements
from db.repository.micrographs import Micrographs
from db.repository.models import Models
from db.repository.overview import Overviews
from db.repository.previews import Previews
from db.repository.refreshes import Refreshes
from db.repository.schedule import Schedule
from db.repository.sources import Sources
from db.repository.tasks import Answers, Tasks
from db.repository.users import Sessions, Tokens, Users

__all__ = [
    "Answers",
    "Batches",
    "Campaigns",
    "Corrections",
    "Curves",
    "Designs",
    "Embeddings",
    "Experiments",
    "Leases",
    "Measurements",
    "Micrographs",
    "Models",
    "Overviews",
    "Previews",
    "Refreshes",
    "Schedule",
    "Sessions",
    "Sources",
    "Tasks",
    "Tokens",
    "Users",
]
