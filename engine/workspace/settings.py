"""config.toml and ``SPINNERET_*``: assembled once, refusing what it does not know.

The comments in ``engine/templates/_settings.toml`` say what each setting means.

Precedence: environment (``SPINNERET_PROPOSE__N=4``), then config.toml, then the defaults below.
The ``[campaign]`` table is the definition that ``engine init`` and ``engine campaign revise``
record in the database; commands afterwards read the campaign from there.
"""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from engine.campaign import Campaign
from engine.errors import ConfigError, by_voice, nearest_name, place
from engine.workspace.plugins import STRATEGY_PLUGINS, find_plugin, unknown_name
from engine.workspace.validation import describe_validation

Strategy = Literal["matmcl", "gp", "sobol", "ax", "ax-matmcl", "nsga2"]
"""The strategies that propose, by name; what each does stands in ``engine.propose.strategies``."""

MAX_BATCH = 100
"""Runs in a batch at most: it is what is spun before the next look at the results."""

CONFIG_NAME = "config.toml"
ENV_PREFIX = "SPINNERET_"
# Variables read elsewhere: where the configuration is, what is logged, what tests need.
_OTHER_VARIABLES = {
    "SPINNERET_CONFIG",
    "SPINNERET_DATA",
    "SPINNERET_LOG",
    "SPINNERET_TEST_POSTGRES",
}


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DatabaseSettings(_Section):
    """Where the truth is kept."""

    url: str = "sqlite:///spinneret.db"
    busy_timeout_s: float = Field(30.0, gt=0, le=3600)
    wait_s: float = Field(10.0, ge=0, le=3600)


class StorageSettings(_Section):
    """Where files are kept."""

    data_dir: Path = Path("spinneret-data")
    # Bounds a decompression bomb: 100 MP are 400 MB of grey values in single precision.
    max_image_megapixels: float = Field(100.0, gt=0)
    group_readable: bool = False


class ImportSettings(_Section):
    """Bounds on what a file may bring."""

    max_rows: int = Field(20_000, ge=1)


class ProposeSettings(_Section):
    """How the next runs are chosen."""

    n: int = Field(8, ge=1, le=MAX_BATCH)
    strategy: str = "matmcl"  # or one of a plug-in
    level: float = Field(0.9, gt=0.5, lt=1.0)
    # Draws of the joint posterior; with `raw_samples` candidates they are one matrix
    # (docs/architecture.md, decision 14).
    mc_samples: int = Field(64, ge=8, le=4096)
    raw_samples: int = Field(512, ge=16, le=65536)
    restarts: int = Field(8, ge=1, le=256)
    ambient_readings: int = Field(6, ge=1, le=64)
    cold_start: int = Field(0, ge=0)
    # From 1,000 of 105,000 runs a proposal takes 2.2 times as long as from 207 (docs/scaling.md,
    # "How it grows").
    most_runs: int = Field(1000, ge=50, le=10_000)
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")

    @field_validator("strategy")
    @classmethod
    def _is_strategy(cls, value: str) -> str:
        # One that is left aside is refused when it is to choose: nothing else waits for it.
        built_in = get_args(Strategy)
        if value not in built_in and find_plugin(STRATEGY_PLUGINS, value) is None:
            raise ValueError(unknown_name(STRATEGY_PLUGINS, value, built_in))
        return value


class SurrogateSettings(_Section):
    """What MatMCL brings along: ``auto`` is the campaign's champion, or else the starter."""

    pretrained: Literal["auto", "starter", "none"] = "auto"


class RefreshSettings(_Section):
    """When the models are trained anew. 0, "never" and "" switch a trigger off."""

    min_new_results: int = Field(8, ge=0)
    min_new_micrographs: int = Field(16, ge=0)
    max_age: str = Field("7d", pattern=r"^(never|[1-9]\d*[hd])$")
    schedule: str = "0 3 * * *"
    # About the standard error of R² on twenty judged recipes (docs/architecture.md, "Models that
    # keep up").
    tolerance: float = Field(0.02, ge=0, le=1)

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        return check_cron(value)

    @property
    def max_age_s(self) -> float | None:
        """The age [s] at which new results are learnt from, however few; ``None``: never."""
        if self.max_age == "never":
            return None
        return float(self.max_age[:-1]) * (3600.0 if self.max_age.endswith("h") else 86400.0)


class ScheduleSettings(_Section):
    """What else the scheduler does, and when: cron expressions of five fields, "" for never."""

    # Two hours after the surrogate's refresh, which holds the same lease.
    generator: str = "0 5 * * *"
    # Half an hour after the refresh, so that it shows the new model.
    report: str = "30 3 * * *"
    # Before the night's trainings, not beside them.
    backup: str = "0 2 * * *"
    prune: str = "0 4 * * 0"
    keep_backups: int = Field(7, ge=1, le=1000)
    keep_models: int = Field(3, ge=0, le=1000)
    timezone: str = "UTC"
    look_every_s: float = Field(60.0, ge=1, le=3600)
    # A day: a machine that was off over night makes up for it in the morning.
    late_by_s: float = Field(86400.0, ge=1)

    @field_validator("generator", "report", "backup", "prune")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        return check_cron(value)

    @field_validator("timezone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError("expected a time zone's name such as UTC or Europe/Berlin") from None
        return value


def check_cron(value: str) -> str:
    """Refuse what cannot be a cron expression; the scheduler reads it in full.

    Raises:
        ValueError: not five fields of numbers, names, ``*``, ``,``, ``-`` and ``/``.
    """
    fields = value.split()
    if value and (
        len(fields) != 5 or not all(re.fullmatch(r"[\w*/,\-]+", part) for part in fields)
    ):
        raise ValueError(
            "expected a cron expression of five fields (minute, hour, day, month, weekday) such as "
            '"0 3 * * *", or "" for never'
        )
    return value


class GeneratorSettings(_Section):
    """What draws previews: ``auto`` is the campaign's champion, or else the starter."""

    pretrained: Literal["auto", "starter", "none"] = "auto"
    pictures: int = Field(4, ge=1, le=64)


class ComputeSettings(_Section):
    """Threads."""

    threads: int = Field(0, ge=0, le=1024)


class WebSettings(_Section):
    """The page in the browser: how long somebody stays logged in, how much may be sent."""

    session_hours: float = Field(12.0, gt=0, le=24 * 31)
    max_upload_mb: float = Field(256.0, gt=0, le=65_536)
    login_attempts: int = Field(10, ge=1, le=1000)
    public_url: str = ""
    trusted_proxies: tuple[str, ...] = ("127.0.0.1", "::1")

    @field_validator("public_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        pattern = (
            r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?"
        )
        if value and not re.fullmatch(pattern, value):
            raise ValueError(
                "expected the address that people type, such as https://lab.example/spinneret, or "
                '"" for none'
            )
        return value.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        import ipaddress

        for word in value:
            try:
                ipaddress.ip_network(word, strict=False)
            except ValueError:
                raise ValueError(
                    f"expected addresses or networks such as 10.0.0.5 or 10.0.0.0/8, got '{word}'"
                ) from None
        return value


class WatchSettings(_Section):
    """A folder that instruments write into (``engine watch``, and the scheduler)."""

    folder: str = ""
    # Tried all of them: a name that means two runs is nobody's.
    patterns: tuple[str, ...] = ("{run}_{n}", "{run}")
    worksheets: tuple[str, ...] = ("worksheet*", "batch*", "results*")
    curves: tuple[str, ...] = (
        "{run}_curve",
        "{run}_curve_{any}",
        "{run}_tensile",
        "{run}_tensile_{any}",
    )
    settle_s: float = Field(2.0, ge=0, le=3600)


class Settings(BaseSettings):
    """Every setting. Build it with :func:`load_settings`."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__"
    )

    database: DatabaseSettings = DatabaseSettings()
    storage: StorageSettings = StorageSettings()
    imports: ImportSettings = ImportSettings()
    propose: ProposeSettings = ProposeSettings()
    surrogate: SurrogateSettings = SurrogateSettings()
    refresh: RefreshSettings = RefreshSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    generator: GeneratorSettings = GeneratorSettings()
    compute: ComputeSettings = ComputeSettings()
    web: WebSettings = WebSettings()
    watch: WatchSettings = WatchSettings()
    campaign: Campaign | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over what the file says (which arrives as init values)."""
        # First wins. Left out: dotenv and secret files, which nobody here asked for.
        # https://docs.pydantic.dev/latest/concepts/pydantic_settings/#customise-settings-sources
        return (env_settings, init_settings)


def find_config(explicit: Path | None = None) -> Path:
    """Return the configuration to use: ``--config``, ``SPINNERET_CONFIG``, or ./config.toml.

    Raises:
        ConfigError: the file does not exist.
    """
    path = explicit or Path(os.environ.get("SPINNERET_CONFIG", CONFIG_NAME))
    if not path.is_file():
        raise ConfigError(
            f"expected a configuration at {place(path)}, found none."
            + by_voice(" Run `engine init` here, or name one with --config FILE.", "")
        )
    return path.resolve()


def load_settings(path: Path) -> Settings:
    """Read ``path`` and the environment.

    Raises:
        ConfigError: not TOML, an unknown key, or a value that cannot be; all of them are named.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{place(path)} cannot be read as text: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{place(path)} is not valid TOML: {error}") from error
    _refuse_unknown_variables()
    try:
        return Settings(**content)
    except ValidationError as error:
        raise ConfigError(describe_validation(error, Settings, place(path), content)) from error


def parse_campaign(definition: dict[str, Any], source: str) -> Campaign:
    """Validate a campaign's definition, telling the user everything that is wrong with it.

    Raises:
        ConfigError: the definition cannot be used.
    """
    try:
        return Campaign(**definition)
    except ValidationError as error:
        raise ConfigError(describe_validation(error, Campaign, source, definition)) from error


def read_campaign_file(path: Path) -> Campaign:
    """Read the ``[campaign]`` table of a TOML file, or the whole file as one.

    Raises:
        ConfigError: no such file, not TOML, or not a campaign.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{place(path)}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{place(path)} cannot be read as text: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{place(path)} is not valid TOML: {error}") from error
    return parse_campaign(content.get("campaign", content), place(path))


def _refuse_unknown_variables() -> None:
    sections = set(Settings.model_fields)
    for variable in os.environ:
        if not variable.startswith(ENV_PREFIX) or variable in _OTHER_VARIABLES:
            continue
        section, _, key = variable.removeprefix(ENV_PREFIX).lower().partition("__")
        if section not in sections:
            names = [f"{ENV_PREFIX}{name.upper()}" for name in sections]
            raise ConfigError(
                f"environment variable {variable} names no setting."
                f"{nearest_name(f'{ENV_PREFIX}{section.upper()}', names)}"
                f" Sections: {', '.join(sorted(sections))}; write {ENV_PREFIX}<SECTION>__<KEY>"
                f"{f' (key {key!r})' if key else ''}."
            )


__all__ = [
    "CONFIG_NAME",
    "ComputeSettings",
    "DatabaseSettings",
    "ImportSettings",
    "ProposeSettings",
    "RefreshSettings",
    "ScheduleSettings",
    "Settings",
    "StorageSettings",
    "SurrogateSettings",
    "WebSettings",
    "find_config",
    "load_settings",
    "parse_campaign",
    "read_campaign_file",
]
