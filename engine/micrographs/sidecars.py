"""Text files that instruments lay beside a picture, and the scale in them.

========  ==============================================================================
Hitachi   ``<name>.txt``: ``PixelSize=`` (nm; some write m) for a picture of ``DataSize=``
          pixels; where it is missing, ``Magnification=`` of a photograph 127 mm wide
JEOL      ``<name>.txt``: ``$$SM_MICRON_BAR`` pixels are ``$$SM_MICRON_MARKER`` (``1um``)
          long in a picture of ``$CM_FULL_SIZE``
TESCAN    ``<name>-tif.hdr``, ``<name>.hdr``: ``PixelSizeX=``, ``PixelSizeY=`` in m
========  ==============================================================================

Every door goes through :func:`sidecars_of`: the command line, folders, uploads, retrieval.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from engine.micrographs.calibration import Calibration, Doubt
from engine.micrographs.lengths import is_plausible, length_nm, number

SUFFIXES = (".txt", ".hdr")
# A sidecar has some kilobytes; any other text of the picture's name may be huge.
MAX_SIDECAR_BYTES = 1 << 20
HITACHI_PHOTOGRAPH_NM = 127e6
"""Hitachi's magnification is that of a photograph five inches wide."""

_SPEAKS_OF_SCALE = re.compile(r"pixel.?(size|width)|micron|magnification|CM_MAG", re.IGNORECASE)


def is_sidecar(path: Path) -> bool:
    """Tell by its name whether a file may be a picture's sidecar."""
    return path.suffix.casefold() in SUFFIXES


def sidecars_of(path: Path) -> list[Path]:
    """Return the text files of a picture's name that lie beside it."""
    stem, kind = path.stem, path.suffix[1:]
    names = [stem + suffix for suffix in (".txt", ".TXT", ".Txt", ".hdr", ".HDR", ".Hdr")]
    names += [f"{path.name}.txt", f"{path.name}.hdr", f"{stem}-{kind}.hdr", f"{stem}-{kind}.txt"]
    files = [path.with_name(name) for name in dict.fromkeys(names)]
    sidecars: list[Path] = []
    for file in files:
        # Where names have no case, three of them are one file.
        if file.is_file() and file != path and not any(file.samefile(s) for s in sidecars):
            sidecars.append(file)
    return [file for file in sidecars if file.stat().st_size <= MAX_SIDECAR_BYTES]


def sidecar_scale(file: Path) -> Calibration | Doubt | None:
    """Return what a sidecar says of the scale; ``None``: nothing."""
    text = decoded(file.read_bytes())
    fields = dict(re.findall(r"^[ \t]*(\w+)[ \t]*=[ \t]*(.*?)[ \t\r]*$", text, re.MULTILINE))
    settings = dict(re.findall(r"^\$+(\w+)[ \t]+(.*?)[ \t\r]*$", text, re.MULTILINE))
    scale = tescan_scale(fields, file.name) or _hitachi(fields, file.name)
    scale = scale or _jeol(settings, file.name)
    if scale is None and (hint := _SPEAKS_OF_SCALE.search(text)):
        return Doubt(f"{file.name} speaks of a scale ('{hint[0]}') that is not understood")
    return scale


def decoded(content: bytes) -> str:
    """Return a text in whichever encoding an instrument wrote it.

    >>> decoded("PixelSize=5".encode("utf-16-le"))
    'PixelSize=5'
    """
    encoding = "utf-8-sig"
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif content[1:40:2].count(0) > 10:
        encoding = "utf-16-le"
    elif content[0:40:2].count(0) > 10:
        encoding = "utf-16-be"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return content.decode("latin-1")


def tescan_scale(fields: Mapping[str, str], name: str) -> Calibration | Doubt | None:
    """Return the scale of TESCAN's ``[MAIN]`` section, of a ``.hdr`` or a TIFF's tag."""
    if "PixelSizeX" not in fields:
        return None
    x_nm = length_nm(fields["PixelSizeX"], "m")
    if x_nm is None:
        return not_understood(f"{name}: PixelSizeX", fields["PixelSizeX"])
    strip = re.fullmatch(r"\d+", fields.get("ImageStripSize", ""))
    y_nm = length_nm(fields.get("PixelSizeY", ""), "m")
    return Calibration(f"{name}: PixelSizeX", x_nm, y_nm, bar_px=int(strip[0]) if strip else None)


def not_understood(source: str, text: str) -> Doubt:
    """Return the doubt about a scale that is written, but not so that it can be read."""
    return Doubt(f"{source}: '{text}' is not understood")


def _hitachi(fields: Mapping[str, str], name: str) -> Calibration | Doubt | None:
    stored = re.match(r"(\d+)\s*[x×*]\s*(\d+)", fields.get("DataSize", ""))
    width, height = (int(stored[1]), int(stored[2])) if stored else (None, None)
    text = fields.get("PixelSize", "")
    if text:
        x_nm = length_nm(text, "nm")
        if x_nm is not None and not is_plausible(x_nm):
            x_nm = length_nm(text, "m")  # as some models write it
        if x_nm is None:
            return not_understood(f"{name}: PixelSize", text)
        return Calibration(f"{name}: PixelSize", x_nm, None, width, height)
    magnification = number(fields.get("Magnification"))
    if magnification is None or width is None:
        return None
    x_nm = HITACHI_PHOTOGRAPH_NM / magnification / width
    return Calibration(f"{name}: Magnification", x_nm, None, width, height)


def _jeol(settings: Mapping[str, str], name: str) -> Calibration | Doubt | None:
    if "SM_MICRON_BAR" not in settings or "SM_MICRON_MARKER" not in settings:
        return None
    bar_px = number(settings["SM_MICRON_BAR"])
    marker_nm = length_nm(settings["SM_MICRON_MARKER"])
    source = f"{name}: $$SM_MICRON_MARKER"
    if bar_px is None or marker_nm is None:
        return not_understood(
            source, f"{settings['SM_MICRON_BAR']} px, {settings['SM_MICRON_MARKER']}"
        )
    full = re.match(r"(\d+)\s+(\d+)", settings.get("CM_FULL_SIZE", ""))
    width, height = (int(full[1]), int(full[2])) if full else (None, None)
    return Calibration(source, marker_nm / bar_px, None, width, height)
