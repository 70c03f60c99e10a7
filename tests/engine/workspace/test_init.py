from __future__ import annotations

import pytest

from engine.errors import ConfigError, StateError, UsageError
from engine.workspace import Workspace
from engine.workspace.init import TEMPLATES, initialise, template_text
from engine.workspace.settings import load_settings


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_template_works(tmp_path, template) -> None:
    made = initialise(tmp_path / "config.toml", template=template)
    assert made.config_path.read_text(encoding="utf-8") == template_text(template)
    with Workspace.open(made.config_path) as workspace, workspace.database.read() as tx:
        record, campaign = workspace.active_campaign(tx)
        assert campaign == workspace.settings.campaign
        assert workspace.drift(record) is None
    assert {path.name for path in tmp_path.iterdir()} == {"config.toml", "spinneret.db"}


def test_the_campaign_can_be_named(tmp_path) -> None:
    made = initialise(tmp_path / "config.toml", name="PAN 2025")
    assert made.campaign.name == "PAN 2025"
    assert load_settings(made.config_path).campaign.name == "PAN 2025"


@pytest.mark.parametrize("name", ["", "a/b", 'a"b', "a\nb", "x" * 100, "\\"])
def test_a_name_that_cannot_be_is_refused(tmp_path, name) -> None:
    with pytest.raises(UsageError, match=r"^name: expected letters") as caught:
        initialise(tmp_path / "config.toml", name=name)
    assert caught.value.worded("cli").startswith("--name: ")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path) -> None:
    config = tmp_path / "config.toml"
    initialise(config)
    before = config.read_bytes(), (tmp_path / "spinneret.db").read_bytes()
    with pytest.raises(StateError) as caught:
        initialise(config)
    assert "engine status" in caught.value.worded("cli")
    assert str(tmp_path) not in str(caught.value)
    with pytest.raises(StateError) as caught:
        initialise(config, template="blank")
    assert "--force" in caught.value.worded("cli")
    assert (config.read_bytes(), (tmp_path / "spinneret.db").read_bytes()) == before


def test_force_keeps_the_old_configuration_and_the_data(tmp_path) -> None:
    config = tmp_path / "config.toml"
    initialise(config)
    old = config.read_text(encoding="utf-8")
    made = initialise(config, template="blank", force=True)
    assert made.kept_config is not None
    assert made.kept_config.read_text(encoding="utf-8") == old
    with Workspace.open(config) as workspace, workspace.database.read() as tx:
        assert [record.name for record in tx.campaigns.all()] == ["nanofibre", "campaign"]
        assert workspace.active_campaign(tx)[0].name == "campaign"
    with pytest.raises(StateError, match="holds the campaign 'nanofibre' already"):
        initialise(config, template="nanofibre", force=True)
    assert load_settings(config).campaign.name == "campaign"


def test_an_edited_configuration_is_recorded_as_it_is(tmp_path) -> None:
    config = tmp_path / "config.toml"
    text = template_text("nanofibre").replace("high = 22.0", "high = 24.0")
    config.write_text(text, encoding="utf-8")
    made = initialise(config)
    assert (made.is_new_config, made.is_new_database) == (False, True)
    assert config.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", ConfigError),
        ("[campaign]\nname = 'x'\n", ConfigError),
        ('[database]\nurl = "mysql://x"\n' + "", Exception),
    ],
)
def test_a_configuration_that_cannot_be_used_makes_nothing(tmp_path, text, error) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text, encoding="utf-8")
    with pytest.raises(error):
        initialise(config)
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_a_failing_database_leaves_no_configuration(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("SPINNERET_DATABASE__URL", "sqlite:///none/spinneret.db")
    with pytest.raises(Exception, match="none"):
        initialise(tmp_path / "config.toml")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_told(tmp_path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        initialise(tmp_path / "none" / "config.toml")
    with pytest.raises(UsageError, match="nanofibre, blank, mixture"):
        initialise(tmp_path / "config.toml", template="wool")


def test_the_command_says_what_to_do_next(tmp_path, monkeypatch) -> None:
    from typer.testing import CliRunner

    from engine.cli.app import app

    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["init", "--template", "mixture"])
    assert done.exit_code == 0
    assert "engine import FILE" in done.stdout
    again = CliRunner().invoke(app, ["init"])
    assert again.exit_code == 1
    assert "engine campaign revise" in again.stderr
