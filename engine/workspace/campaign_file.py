"""One truth for page and command line: config.toml's ``[campaign]`` follows what is recorded."""

from __future__ import annotations

import threading
from typing import Literal

from db.records import CampaignRecord
from engine.errors import ConfigError, StateError, by_voice
from engine.workspace.campaign_text import (
    campaign_text,
    configured_campaign,
    edited_text,
    read_text,
    section_of,
    with_section,
)
from engine.workspace.files import write_aside
from engine.workspace.workspace import Workspace, definition_of, revision_like

Followed = Literal["the same", "written", "another campaign", "unrecorded edit", "unwritable"]
"""What became of config.toml: what was there already, written now, or left alone, and why."""

_WRITING = threading.Lock()


def text_of(workspace: Workspace, record: CampaignRecord) -> str:
    """Return a campaign as TOML, with config.toml's comments where that says the same."""
    campaign = definition_of(record)
    try:
        text = workspace.config_path.read_text(encoding="utf-8")
        section = section_of(text)
        if section is not None and read_text(section).definition() == campaign.definition():
            return section
    except (OSError, UnicodeDecodeError, ConfigError):
        pass
    return campaign_text(campaign)


def follow(
    workspace: Workspace, record: CampaignRecord, text: str | None = None, *, force: bool = False
) -> Followed:
    """Write a campaign's newest revision into config.toml, if that holds a recorded one of it.

    Comments stay. ``text``: the definition as somebody wrote it, taken if it says the same.
    ``force``: also where config.toml holds another campaign, or an edit that nobody recorded.
    """
    # Two threads of the server: whoever comes last writes what is newest by then.
    with _WRITING:
        with workspace.database.read() as tx:
            revisions = tx.campaigns.revisions(record.id)
        campaign = definition_of(revisions[-1])
        try:
            present = configured_campaign(workspace.config_path)
        except ConfigError:
            return "unrecorded edit"
        if present is not None and present.definition() == campaign.definition():
            return "the same"
        if not force:
            if present is None or present.name != campaign.name:
                return "another campaign"
            if revision_like(present.definition(), revisions) is None:
                return "unrecorded edit"
        path = workspace.config_path.resolve()
        former = path.read_text(encoding="utf-8")
        if text is None or read_text(text).definition() != campaign.definition():
            section = section_of(former) or ""
            text = edited_text(section, campaign)
        try:
            try:
                content = with_section(former, text)
            except ConfigError:
                content = with_section(former, campaign_text(campaign))
            write_aside(path, content, mode=path.stat().st_mode & 0o777)
        except (ConfigError, StateError):
            return "unwritable"
        return "written"


FOLLOWED = {
    "the same": "",
    "written": "[campaign] in config.toml follows it",
    "another campaign": "",
    "unrecorded edit": "[campaign] in config.toml holds an edit that is not recorded, and was left "
    "alone: recording it would take this revision back",
    "unwritable": "config.toml could not be written and still holds the former revision"
    + by_voice("; `engine campaign sync` brings it up to date", ""),
}
"""What to say of each, if anything."""
