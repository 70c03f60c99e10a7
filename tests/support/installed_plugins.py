"""Distributions with entry points, as an installer leaves them in a folder of the path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def install_plugins(
    folder: Path, distribution: str, version: str, groups: Mapping[str, Mapping[str, str]]
) -> Path:
    """Write a distribution's metadata; return their folder, which is removed to uninstall it."""
    place = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n", encoding="utf-8"
    )
    lines = []
    for group, entries in groups.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (place / "entry_points.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return place
