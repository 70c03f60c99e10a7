from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.workspace.init import TEMPLATES, template_text
from engine.workspace.settings import Settings, find_config, load_settings, read_campaign_file

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def config(tmp_path, monkeypatch) -> Path:
    monkeypatch.delenv("SPINNERET_CONFIG", raising=False)
    path = tmp_path / "config.toml"
    path.write_text(template_text("nanofibre"), encoding="utf-8")
    return path


def test_the_repository_shows_what_init_writes() -> None:
    assert (ROOT / "config.toml").read_text(encoding="utf-8") == template_text("nanofibre")


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_setting_stands_in_the_template_with_its_default(template) -> None:
    written = tomllib.loads(template_text(template))
    campaign = written.pop("campaign")
    defaults = Settings.model_construct().model_dump(mode="json", exclude={"campaign"})
    assert written == defaults
    assert campaign["name"] == ("campaign" if template == "blank" else template)


@pytest.mark.parametrize("template", TEMPLATES)
def test_every_setting_has_a_comment_above_it(template) -> None:
    lines = template_text(template).splitlines()
    settings = lines[: next(i for i, line in enumerate(lines) if line.startswith("[campaign"))]
    bare = [
        line
        for above, line in pairwise(settings)
        if " = " in line and not line.startswith("#") and above.startswith("[")
    ]
    assert bare == []


def test_the_file_is_read_and_the_environment_wins(config, monkeypatch) -> None:
    monkeypatch.setenv("SPINNERET_PROPOSE__N", "4")
    settings = load_settings(config)
    assert settings.propose.n == 4
    assert settings.propose.level == 0.9
    assert settings.campaign is not None
    assert settings.campaign.name == "nanofibre"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("[propose]\nlevl = 0.9", "unknown key 'propose.levl'. Did you mean 'level'?"),
        ("[propos]\nn = 4", "unknown key 'propos'. Did you mean 'propose'?"),
        ("[propose]\nn = 0", "propose.n: Input should be greater than or equal to 1 (got 0)"),
        ("[propose]\nn = 'many'", "propose.n: "),
        ("[compute]\nthreads = -1", "compute.threads: "),
        ("[[campaign.parameters]]\nnme = 'a'", "unknown key 'campaign.parameters.0.nme'."),
        ("[propose\n", "is not valid TOML"),
        ("[[campaign.parameters]]\nname = 'a b'", "letters, digits and underscores"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(config, line, told) -> None:
    config.write_text(line, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(config)
    assert told in str(caught.value)
    assert str(config) in caught.value.worded("cli")


def test_all_mistakes_are_told_at_once(config) -> None:
    config.write_text("[propose]\nlevl = 1\nn = 0\n[storag]\nx = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(config)
    assert all(word in str(caught.value) for word in ("levl", "propose.n", "storag"))


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("SPINNERET_PROPOS__N", "Did you mean 'SPINNERET_PROPOSE'?"),
        ("SPINNERET_PROPOSE__NN", "unknown key 'propose.nn'"),
    ],
)
def test_a_misspelt_variable_is_refused(config, monkeypatch, variable, told) -> None:
    monkeypatch.setenv(variable, "4")
    with pytest.raises(ConfigError) as caught:
        load_settings(config)
    assert told in str(caught.value)


def test_the_configuration_is_found(config, monkeypatch) -> None:
    assert find_config(config) == config.resolve()
    monkeypatch.setenv("SPINNERET_CONFIG", str(config))
    assert find_config() == config.resolve()
    monkeypatch.delenv("SPINNERET_CONFIG")
    monkeypatch.chdir(config.parent)
    assert find_config() == config.resolve()
    config.unlink()
    with pytest.raises(ConfigError, match="found none") as caught:
        find_config()
    assert "engine init" in caught.value.worded("cli")


def test_a_campaign_file_is_a_table_or_a_whole_file(tmp_path) -> None:
    whole = (ROOT / "engine" / "templates" / "mixture.toml").read_text(encoding="utf-8")
    inner = tmp_path / "inner.toml"
    inner.write_text(whole.replace("[campaign]\n", "").replace("[campaign.", "["))
    assert read_campaign_file(inner) == read_campaign_file(
        ROOT / "engine" / "templates" / "mixture.toml"
    )
    (tmp_path / "broken.toml").write_text("[campaign\n", encoding="utf-8")
    for name, told in (
        ("none.toml", "no such file$"),
        (".", "cannot be read"),
        ("broken.toml", "not valid TOML"),
    ):
        with pytest.raises(ConfigError, match=told):
            read_campaign_file(tmp_path / name)
