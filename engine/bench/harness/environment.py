"""Where and with what a benchmark ran: printed with every table, kept with every result."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from engine.host import usable_cores

LIBRARIES = (
    "spinneret",
    "torch",
    "botorch",
    "gpytorch",
    "ax-platform",
    "pymoo",
    "numpy",
    "scipy",
    "scikit-learn",
    "scikit-image",
)


def environment() -> dict[str, Any]:
    """Return versions, processor, usable cores and the load of the last minute."""
    return {
        "versions": {"python": platform.python_version(), **library_versions()},
        "processor": processor(),
        "cores": usable_cores(),
        "platform": platform.platform(terse=True),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that decide what a strategy does."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def processor() -> str:
    """Return the processor's model."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def environment_line(record: Mapping[str, Any], *, threads: str) -> str:
    """Return a record of :func:`environment` in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    load = f", load {record['load']}" if record["load"] is not None else ""
    return f"{record['processor']}, {record['cores']} cores, {threads}{load}; {versions}"
