"""One folder of work: its config.toml, its database, its data folder, its campaigns."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from db.records import CampaignRecord
from db.session import Database
from db.transaction import Transaction
from db.urls import resolve_url
from engine.campaign import Campaign
from engine.errors import ConfigError, NotFoundError, by_voice
from engine.workspace.campaign_text import configured_campaign
from engine.workspace.settings import Settings, find_config, load_settings, parse_campaign
from surrogate.private_files import guard


@dataclass(frozen=True)
class Workspace:
    """What every command that touches recorded data works in. Close it, or use it in ``with``."""

    root: Path
    config_path: Path
    settings: Settings
    database: Database
    campaign_id: int | None = None
    """The campaign that is worked in; ``None``: the command line's own (`engine campaign use`)."""

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

    def in_campaign(self, campaign_id: int) -> Workspace:
        """Return this workspace for one campaign, whichever the command line uses meanwhile.

        What would be written for another one is refused by the transaction.
        """
        database = self.database.in_campaign(campaign_id)
        return replace(self, database=database, campaign_id=campaign_id)

    def settled(self) -> Workspace:
        """Return this workspace for the campaign that it is at now.

        For what takes more than one transaction: somebody may switch meanwhile.

        Raises:
            NotFoundError: there is no campaign.
        """
        if self.campaign_id is not None:
            return self
        with self.database.read() as tx:
            return self.in_campaign(self.active_campaign(tx)[0].id)

    def active_campaign(self, tx: Transaction) -> tuple[CampaignRecord, Campaign]:
        """Return the campaign that is worked in: its row and its definition.

        Raises:
            NotFoundError: there is none; the message tells what to run.
        """
        if self.campaign_id is not None:
            record = tx.campaigns.by_id(self.campaign_id)
            if record is None:
                raise NotFoundError(no_campaign(self.campaign_id, tx.campaigns.all()))
            return record, definition_of(record)
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
        try:
            # As it is on the disk now: a server runs for weeks, and a revision may have written it.
            edited = configured_campaign(self.config_path)
        except ConfigError:
            edited = self.settings.campaign
        if edited is None or edited.name != record.name:
            return None
        if edited.definition() == definition_of(record).definition():
            return None
        with self.database.read() as tx:
            earlier = revision_like(edited.definition(), tx.campaigns.revisions(record.id))
        if earlier is not None:
            return (
                f"[campaign] in {self.config_path.name} is still revision {earlier.revision} of "
                f"'{record.name}'; revision {record.revision} is used"
                + by_voice("; `engine campaign sync` writes it there", "")
            )
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


def no_campaign(id_: int, campaigns: Iterable[CampaignRecord]) -> str:
    """Say that there is no campaign of a number, and which there are."""
    listed = ", ".join(f"{record.id} ({record.name})" for record in campaigns)
    return f"there is no campaign {id_}; recorded: {listed or 'none'}"


def definition_of(record: CampaignRecord) -> Campaign:
    """Return a recorded campaign's definition, validated.

    Raises:
        ConfigError: it was recorded by a version that knows other keys.
    """
    source = f"campaign '{record.name}', revision {record.revision} in the database"
    return parse_campaign(dict(record.definition), source)


def revision_like(definition: object, revisions: Iterable[CampaignRecord]) -> CampaignRecord | None:
    """Return the newest of the revisions that says the same as a definition."""
    alike = None
    for record in revisions:
        try:
            if definition_of(record).definition() == definition:
                alike = record
        except ConfigError:  # recorded by a version that knew other keys
            continue
    return alike
