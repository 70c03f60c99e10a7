"""One folder of work: its config.toml, its database, its data folder, its active campaign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from db.records import CampaignRecord
from db.session import Database, Transaction
from db.urls import resolve_url
from engine.campaign import Campaign
from engine.errors import NotFoundError, by_voice
from engine.workspace.settings import Settings, find_config, load_settings, parse_campaign
from surrogate.private_files import guard


@dataclass(frozen=True)
class Workspace:
    """What every command that touches recorded data works in. Close it, or use it in ``with``."""

    root: Path
    config_path: Path
    settings: Settings
    database: Database

    @classmethod
    def open(cls, config: Path | None = None) -> Workspace:
        """Read the configuration and open the database it names.

        Args:
            config: the configuration file; else ``SPINNERET_CONFIG``, else ./config.toml.

        Raises:
            ConfigError: no configuration, or one that cannot be used.
            DatabaseError: no database (the message tells `engine init`), or not this version's.
        """
        config_path = find_config(config)
        settings = load_settings(config_path)
        root = config_path.parent
        # Relative to the configuration, not to where the command is run.
        url = resolve_url(settings.database.url, root)
        database = Database.open(
            url,
            busy_timeout_s=settings.database.busy_timeout_s,
            wait_s=settings.database.wait_s,
        )
        workspace = cls(root, config_path, settings, database)
        guard(workspace.data_dir, group_readable=settings.storage.group_readable)
        return workspace

    @property
    def data_dir(self) -> Path:
        """Where micrographs, reports and models are kept; a relative path counts from ``root``."""
        return self.root / self.settings.storage.data_dir.expanduser()

    def acting(
        self,
        actor: str,
        *,
        detail: str | None = None,
        before_commit: Callable[[Transaction], None] | None = None,
    ) -> Workspace:
        """Return this workspace for somebody: what is written through it is theirs.

        See :meth:`db.session.Database.acting`.
        """
        database = self.database.acting(actor, detail=detail, before_commit=before_commit)
        return replace(self, database=database)

    def active_campaign(self, tx: Transaction) -> tuple[CampaignRecord, Campaign]:
        """Return the active campaign: its row and its definition.

        Raises:
            NotFoundError: there is none; the message tells what to run.
        """
        record = tx.campaigns.active()
        if record is None:
            names = ", ".join(campaign.name for campaign in tx.campaigns.all())
            raise NotFoundError(
                "no campaign is active; "
                + by_voice("run `engine campaign use NAME`", "choose one first")
                + f" (recorded: {names})"
                if names
                else "no campaign is recorded"
                + by_voice("; run `engine init` to record the one in config.toml", "")
            )
        return record, definition_of(record)

    def drift(self, record: CampaignRecord) -> str | None:
        """Say how config.toml's ``[campaign]`` differs from what is recorded, if it does.

        A configuration of another campaign's name (or of none) says nothing about ``record``.
        """
        edited = self.settings.campaign
        if edited is None or edited.name != record.name:
            return None
        if edited.definition() == definition_of(record).definition():
            return None
        return (
            f"[campaign] in {self.config_path.name} differs from revision {record.revision} of "
            f"'{record.name}', which is used"
            + by_voice(
                "; record the edit with `engine campaign revise`",
                "; the edit is to be recorded at the command line",
            )
        )

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def definition_of(record: CampaignRecord) -> Campaign:
    """Return a recorded campaign's definition, validated.

    Raises:
        ConfigError: it was recorded by a version that knows other keys.
    """
    source = f"campaign '{record.name}', revision {record.revision} in the database"
    return parse_campaign(dict(record.definition), source)
