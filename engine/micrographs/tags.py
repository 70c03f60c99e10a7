"""The scale that a picture's own file bears.

=====================  =============================================================
Zeiss (SmartSEM)       TIFF tag 34118: ``AP_IMAGE_PIXEL_SIZE`` (of the stored picture;
                       ``AP_PIXEL_SIZE`` is that of the screen), or ``AP_WIDTH``
FEI, Thermo Fisher     tags 34680, 34682: ``[Scan] PixelWidth``, ``PixelHeight`` in m
Phenom                 tag 34683, or behind a JPEG's pixels: ``<pixelWidth unit="nm">``
TESCAN                 tag 50431: ``PixelSizeX=``, ``PixelSizeY=`` in m
Gatan                  tags 65003, 65004 (units), 65009, 65010 (pixel sizes)
Olympus (SIS)          tag 33560
ImageJ, OME            in the description: ``unit=``; ``PhysicalSizeX``
any other              resolution in TIFF, PNG (pHYs), JPEG: only where a micrograph's pixel may
                       be so small, as 72, 96 or 300 dots per inch are a printer's
=====================  =============================================================

The layouts are as tifffile reads them, and as their makers' and users' public readers do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from engine.micrographs.calibration import Calibration, Doubt
from engine.micrographs.lengths import NUMBER, length_nm, number, unit_nm
from engine.micrographs.sidecars import decoded, not_understood, tescan_scale
from engine.micrographs.tiff_pages import is_tiff, tiff_file

MOST_TEXT_BYTES = 1 << 20
_FIRST_PAGES = 4  # the picture's tags may be its thumbnail's
_ZEISS, _FEI, _FEI_OLD, _PHENOM, _TESCAN = 34118, 34682, 34680, 34683, 50431
_NM_PER = {2: 2.54e7, 3: 1e7}
"""A unit of TIFF's resolution in nm: inch, centimetre."""

FINEST_PRINT_NM = 2000.0
"""No printer's or scanner's dots are finer."""

_SPEAKS_OF_SCALE = re.compile(
    rf"(pixel.?(?:size|width)|(?:nm|[uµμ]m)\s*(?:/|per)\s*(?:px|pixel))\W{{0,4}}.{{0,40}}?{NUMBER}",
    re.IGNORECASE,
)


def scales_of_tags(path: Path) -> list[Calibration | Doubt]:
    """Return what a picture's file says of its scale, the instrument's word first."""
    if not is_tiff(path):
        return _of_other(path)
    try:
        with tiff_file(path) as tiff:
            pages = list(islice(tiff.pages, _FIRST_PAGES))
            scales = [scale for page in pages for scale in _of_instruments(page)]
            scales += list(_of_programs(tiff, pages[0]))
            return scales or list(_of_resolution(pages)) or list(_unclear(pages))
    except Exception:  # what it raises for a damaged header is not documented
        return []


def _of_instruments(page: Any) -> Iterator[Calibration | Doubt]:
    tags = {tag.code: tag for tag in page.tags}
    if _ZEISS in tags and isinstance(tags[_ZEISS].value, Mapping):
        yield from _of_zeiss(tags[_ZEISS].value)
    for code in (_FEI, _FEI_OLD):
        if code in tags and isinstance(tags[code].value, Mapping):
            yield from _of_fei(tags[code].value)
    if _PHENOM in tags:
        yield from _of_phenom(_text(tags[_PHENOM].value), f"TIFF tag {_PHENOM}")
    if _TESCAN in tags:
        text = _text(tags[_TESCAN].value)
        fields = dict(re.findall(r"(\w+)[ \t]*=[ \t]*([^\r\n\0]*)", text))
        scale = tescan_scale(fields, f"TIFF tag {_TESCAN}")
        if scale is not None:
            yield scale
    if 65009 in tags and 65003 in tags:
        yield from _of_gatan({code: tag.value for code, tag in tags.items() if code > 65000})


def _of_zeiss(tags: Mapping[str, Any]) -> Iterator[Calibration | Doubt]:
    stored = re.match(r"(\d+)\s*[*x×]\s*(\d+)", str(_zeiss_value(tags, "dp_image_store")))
    width, height = (int(stored[1]), int(stored[2])) if stored else (None, None)
    width_nm = _zeiss_length(tags, "ap_width")
    image_nm = _zeiss_length(tags, "ap_image_pixel_size")
    screen_nm = _zeiss_length(tags, "ap_pixel_size")
    if image_nm is not None:
        if width is None and width_nm is not None:
            width = round(width_nm / image_nm)
        yield Calibration("TIFF tag: AP_IMAGE_PIXEL_SIZE", image_nm, None, width, height)
    elif width_nm is not None and width:
        yield Calibration("TIFF tag: AP_WIDTH", width_nm / width, None, width, height)
    elif screen_nm is not None:
        # The screen's picture is as wide as the stored one, in nm.
        width = None if width_nm is None else round(width_nm / screen_nm)
        yield Calibration("TIFF tag: AP_PIXEL_SIZE", screen_nm, None, width)
    elif width_nm is not None:
        yield Doubt(
            "TIFF tag: AP_WIDTH is the picture's width, but not written is of how many pixels"
        )
    else:
        for name in ("ap_image_pixel_size", "ap_pixel_size"):
            if name in tags:
                yield not_understood(f"TIFF tag: {name.upper()}", str(_zeiss_value(tags, name)))


def _zeiss_value(tags: Mapping[str, Any], name: str) -> Any:
    value = tags.get(name)
    return value[1] if isinstance(value, tuple) and len(value) > 1 else value


def _zeiss_length(tags: Mapping[str, Any], name: str) -> float | None:
    value = tags.get(name)
    if not isinstance(value, tuple) or len(value) < 2:
        return None
    # A number and its unit; both in one text, where the number is not as tifffile expects it.
    return length_nm(" ".join(str(part) for part in value[1:]))


def _of_fei(tags: Mapping[str, Any]) -> Iterator[Calibration | Doubt]:
    image, private = tags.get("Image") or {}, tags.get("PrivateFei") or {}
    for section in ("Scan", "EScan", "IScan"):
        fields = tags.get(section) or {}
        if "PixelWidth" not in fields:
            continue
        source = f"TIFF tag: [{section}] PixelWidth"
        x_nm = length_nm(str(fields["PixelWidth"]), "m")
        if x_nm is None:
            yield not_understood(source, str(fields["PixelWidth"]))
            continue
        width, height = _whole(image.get("ResolutionX")), _whole(image.get("ResolutionY"))
        if width is None and (field_nm := length_nm(str(fields.get("HorFieldsize")), "m")):
            width = round(field_nm / x_nm)
        y_nm = length_nm(str(fields.get("PixelHeight")), "m")
        bar_px = _whole(private.get("DatabarHeight"))
        yield Calibration(source, x_nm, y_nm, width, height, bar_px)
        return


def _of_phenom(text: str, source: str) -> Iterator[Calibration | Doubt]:
    lengths = {}
    for name in ("pixelWidth", "pixelHeight"):
        match = re.search(rf'<{name}(?:\s+unit="([^"]*)")?[^>]*>([^<]*)</{name}>', text)
        if match:
            lengths[name] = length_nm(match[2], match[1] or "um")
            if lengths[name] is None:
                yield not_understood(f"{source}: {name}", match[2])
                return
    x_nm = lengths.get("pixelWidth")
    if x_nm is None:
        return
    bar = re.search(r"<databarHeight[^>]*>\s*(\d+)", text)
    sides = [
        re.search(rf"<{name}[^>]*>\s*(\d+)\s*</{name}>", text)
        for name in ("left", "right", "top", "bottom")
    ]
    x_from, right, top, bottom = (int(side[1]) if side else None for side in sides)
    width = None if x_from is None or right is None else right - x_from
    height = None if top is None or bottom is None else bottom - top
    yield Calibration(
        f"{source}: pixelWidth", x_nm, lengths.get("pixelHeight"), width or None, height or None,
        int(bar[1]) if bar else None,
    )  # fmt: skip


def _of_gatan(values: Mapping[int, Any]) -> Iterator[Calibration | Doubt]:
    unit = _text(values[65003]).strip("\0 ")
    x_nm = length_nm(f"{values[65009]}", unit)
    if x_nm is None:
        yield not_understood("TIFF tag 65009 (Gatan)", f"{values[65009]} {unit}")
        return
    unit = _text(values.get(65004, unit)).strip("\0 ")
    yield Calibration("TIFF tag 65009 (Gatan)", x_nm, length_nm(f"{values.get(65010)}", unit))


def _of_programs(tiff: Any, page: Any) -> Iterator[Calibration | Doubt]:
    if (sis := _attribute(tiff, "sis_metadata")) and "pixelsizex" in sis:
        x_nm, y_nm = (length_nm(str(sis.get(f"pixelsize{axis}")), "m") for axis in "xy")
        if x_nm is not None:
            yield Calibration("TIFF tag 33560 (Olympus)", x_nm, y_nm)
    description = str(page.description or "")
    if ome := re.search(r"<(?:\w+:)?Pixels\b[^>]*>", description[:MOST_TEXT_BYTES]):
        yield from _of_ome(dict(re.findall(r'(\w+)\s*=\s*"([^"]*)"', ome[0])))
    elif description.startswith("ImageJ="):
        yield from _of_imagej(description, page)


def _attribute(tiff: Any, name: str) -> Any:
    try:
        return getattr(tiff, name)
    except Exception:  # a damaged tag
        return None


def _of_ome(pixels: Mapping[str, str]) -> Iterator[Calibration | Doubt]:
    if "PhysicalSizeX" not in pixels:
        return
    x_nm, y_nm = (
        length_nm(
            pixels.get(f"PhysicalSize{axis}", ""), pixels.get(f"PhysicalSize{axis}Unit", "µm")
        )
        for axis in "XY"
    )
    if x_nm is None:
        text = f"{pixels['PhysicalSizeX']} {pixels.get('PhysicalSizeXUnit', '')}"
        yield not_understood("OME PhysicalSizeX", text)
        return
    size = _whole(pixels.get("SizeX")), _whole(pixels.get("SizeY"))
    yield Calibration("OME PhysicalSizeX", x_nm, y_nm, *size)


def _of_imagej(description: str, page: Any) -> Iterator[Calibration | Doubt]:
    unit = re.search(r"^unit=(.*?)\s*$", description, re.MULTILINE)
    if unit is None or unit[1].casefold() in ("", "pixel", "pixels"):
        return
    factor, (x_unit, y_unit) = unit_nm(unit[1]), _resolution(page)
    if factor is None or x_unit is None:
        yield Doubt(f"ImageJ's calibration: the unit '{unit[1]}' is not understood")
        return
    yield Calibration(
        "ImageJ's calibration", factor / x_unit, None if y_unit is None else factor / y_unit
    )


def _resolution(page: Any) -> tuple[float | None, float | None]:
    values = []
    for code in (282, 283):
        tag = page.tags.get(code)
        ratio = tag.value if tag is not None else None
        is_ratio = isinstance(ratio, tuple) and len(ratio) == 2 and all(ratio)
        values.append(ratio[0] / ratio[1] if is_ratio and ratio is not None else None)
    return values[0], values[1]


def _of_resolution(pages: list[Any]) -> Iterator[Calibration | Doubt]:
    for page in pages:
        unit = page.tags.get(296)
        factor = _NM_PER.get(int(unit.value)) if unit is not None else _NM_PER[2]
        x_unit, y_unit = _resolution(page)
        if factor is not None and x_unit is not None:
            y_nm = None if y_unit is None else factor / y_unit
            yield from _if_no_printer("TIFF resolution", factor / x_unit, y_nm)


def _if_no_printer(source: str, x_nm: float, y_nm: float | None) -> Iterator[Calibration | Doubt]:
    if 0.01 <= x_nm < FINEST_PRINT_NM:
        yield Calibration(source, x_nm, y_nm)


def _unclear(pages: list[Any]) -> Iterator[Calibration | Doubt]:
    """Yield a doubt for the first text that speaks of pixels' sizes, but is of no known layout."""
    for page in pages:
        for tag in page.tags:
            if tag.code < 270 or tag.dtype not in (1, 2, 7) or tag.count > MOST_TEXT_BYTES:
                continue
            if hint := _SPEAKS_OF_SCALE.search(_text(tag.value)):
                text = " ".join(hint[0].split())
                yield Doubt(
                    f"TIFF tag {tag.code} speaks of a scale ('{text}') in a layout unknown here"
                )
                return


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return decoded(value[:MOST_TEXT_BYTES])
    return str(value)[:MOST_TEXT_BYTES]


def _whole(value: object) -> int | None:
    parsed = number(value)
    return None if parsed is None else round(parsed)


def _of_other(path: Path) -> list[Calibration | Doubt]:
    """Read a PNG or JPEG: Phenom's text, texts that speak of a scale, the resolution."""
    from engine.micrographs.unpacking import unpacking

    content = _ends_of(path)
    if b"<pixelWidth" in content:
        return list(_of_phenom(content.decode("utf-8", errors="replace"), "FeiImage"))
    try:
        with unpacking(path, ["PNG", "JPEG", "BMP"]) as image:
            texts = {k: v for k, v in image.info.items() if isinstance(v, str) or k == "comment"}
            dots = image.info.get("dpi")
    except Exception:  # Pillow's decoders raise what they like
        return []
    scales: list[Calibration | Doubt] = []
    if dots is not None and all(number(axis) for axis in dots):
        x_nm, y_nm = (2.54e7 / float(axis) for axis in dots)
        scales += _if_no_printer(f"{path.suffix[1:].upper()} resolution", x_nm, y_nm)
    for key, value in texts.items():
        if not scales and (hint := _SPEAKS_OF_SCALE.search(f"{key}: {_text(value)}")):
            text = " ".join(hint[0].split())
            scales.append(
                Doubt(f"its text '{key}' speaks of a scale ('{text}') that is unknown here")
            )
    return scales


def _ends_of(path: Path) -> bytes:
    """Return the first and last part of a file: vendors write before or behind the pixels."""
    with path.open("rb") as file:
        first = file.read(MOST_TEXT_BYTES)
        file.seek(max(len(first), path.stat().st_size - MOST_TEXT_BYTES))
        return first + file.read()
