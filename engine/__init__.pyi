"""What ``import engine`` offers; see ``__init__.py``."""

from engine.campaign import Campaign as Campaign
from engine.campaign import LinearConstraint as LinearConstraint
from engine.campaign import Objective as Objective
from engine.campaign import Parameter as Parameter
from engine.campaign import Property as Property
from engine.campaign.history import History as History
from engine.campaign.history import Run as Run
from engine.errors import AccessError as AccessError
from engine.errors import CampaignError as CampaignError
from engine.errors import ConfigError as ConfigError
from engine.errors import DataError as DataError
from engine.errors import EditedMeanwhileError as EditedMeanwhileError
from engine.errors import ImportRefusedError as ImportRefusedError
from engine.errors import ModelError as ModelError
from engine.errors import NotFoundError as NotFoundError
from engine.errors import PluginError as PluginError
from engine.errors import SpinneretError as SpinneretError
from engine.errors import StateError as StateError
from engine.errors import UsageError as UsageError
from engine.notebook.batch import Batch as Batch
from engine.notebook.lab import Lab as Lab
from engine.notebook.memory import Loop as Loop
from engine.notebook.memory import history as history
from engine.notebook.memory import suggest as suggest
from engine.notebook.micrographs import MicrographTable as MicrographTable
from engine.notebook.micrographs import read_micrographs as read_micrographs
from engine.notebook.opening import create as create
from engine.notebook.opening import open as open
from engine.notebook.run import LabRun as LabRun
from engine.propose.plugin_strategy import SpaceView as SpaceView
from engine.propose.plugin_strategy import StrategyTask as StrategyTask

__version__: str
