"""Every microscope's scale, in files made here from public layouts; what does not fit is asked."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from engine.errors import UsageError, spell
from engine.micrographs.opened import open_micrograph
from engine.micrographs.scale import HowTaken, crop_of, read_scale

WHOLE = (128, 96)
HALF = (64, 48)
GREY = np.random.default_rng(0).integers(20, 220, (96, 128)).astype(np.uint8)

FEI = (
    "[User]\r\nUser=me\r\n[Scan]\r\nPixelWidth=2.5e-009\r\nPixelHeight=2.5e-009\r\n"
    "HorFieldsize=3.2e-007\r\n[Image]\r\nResolutionX=128\r\nResolutionY=88\r\n"
    "[PrivateFei]\r\nDatabarHeight=8\r\n"
)
FEI_WIDTH_ONLY = FEI.partition("[Image]")[0]
TESCAN = (
    "[MAIN]\r\nAccFrames=1\r\nDevice=MIRA3\r\nImageStripSize=8\r\nPixelSizeX=5.0e-9\r\n"
    "PixelSizeY=5.0e-9\r\n[SEM]\r\nHV=5e3\r\n"
)
PHENOM = (
    "<FeiImage><databarHeight>64</databarHeight>"
    '<pixelWidth unit="nm">26.85</pixelWidth><pixelHeight unit="nm">26.85</pixelHeight></FeiImage>'
)
HITACHI = (
    "[SemImageFile]\r\nInstructName=S-4800\r\nDataSize=128x96\r\nPixelSize={}\r\n"
    "Magnification=30000\r\n"
)
JEOL = (
    "$CM_FORMAT \r\n$CM_MAG 5000\r\n$CM_FULL_SIZE 128 88\r\n$$SM_MICRON_BAR 40\r\n"
    "$$SM_MICRON_MARKER {}\r\n"
)


def zeiss(*entries: tuple[str, str]) -> str:
    head = "\r\n".join(["0"] * 40 + [""])
    return head + "".join(f"{name}\r\n{value}\r\n" for name, value in entries)


STORED = ("DP_IMAGE_STORE", "Store resolution = 128 * 96")
ZEISS = zeiss(
    STORED,
    ("AP_WIDTH", "Width = 1.25 µm"),
    ("AP_PIXEL_SIZE", "Pixel Size = 19.5 nm"),
    ("AP_IMAGE_PIXEL_SIZE", "Image Pixel Size = 9.766 nm"),
)

# Tag, text, sides of the file, nm per pixel or a word of what is asked.
TAGS = {
    "FEI": (34682, FEI, WHOLE, 2.5),
    "FEI, older": (34680, FEI, WHOLE, 2.5),
    "FEI, bar cut off": (34682, FEI, (128, 88), 2.5),
    "FEI, sides cut off": (34682, FEI, (90, 88), 2.5),
    "FEI, turned": (34682, FEI, (96, 128), 2.5),
    "FEI, decimal comma": (34682, FEI.replace(".", ","), WHOLE, 2.5),
    "FEI, smaller": (34682, FEI, HALF, "2.5 nm if it was cut out, 5 nm if it was scaled"),
    "FEI, cut out": (34682, FEI, (100, 50), "128 × 88 pixels, the file has 100 × 50"),
    "FEI, smaller, only its field": (34682, FEI_WIDTH_ONLY, HALF, "5 nm if it was scaled"),
    "FEI, not square": (
        34682, FEI.replace("Height=2.5", "Height=3.5"), WHOLE, "2.5 nm wide and 3.5 nm high",
    ),
    "FEI, absurd": (34682, FEI.replace("e-009", "e-018"), WHOLE, "no micrograph's pixel size"),
    "Zeiss": (34118, ZEISS, WHOLE, 9.766),
    "Zeiss, comma": (34118, ZEISS.replace("9.766", "9,766"), WHOLE, 9.766),
    "Zeiss, µm": (34118, ZEISS.replace("9.766 nm", "0.009766 µm"), WHOLE, 9.766),
    "Zeiss, pm": (34118, ZEISS.replace("9.766 nm", "9766 pm"), WHOLE, 9.766),
    "Zeiss, width": (34118, zeiss(STORED, ("AP_WIDTH", "Width = 1.25 µm")), WHOLE, 9.765625),
    "Zeiss, smaller": (34118, ZEISS, HALF, "19.53 nm if it was scaled"),
    "Zeiss, smaller, only its field": (
        34118, ZEISS.replace("DP_IMAGE", "DP_NO"), HALF, "19.53 nm if it was scaled",
    ),
    "Zeiss, no number": (
        34118, zeiss(("AP_IMAGE_PIXEL_SIZE", "Image Pixel Size = unknown")), WHOLE,
        "'unknown' is not understood",
    ),
    "Phenom": (34683, PHENOM, WHOLE, 26.85),
    "Phenom, µm": (34683, PHENOM.replace("nm", "um").replace("26.85", "0.02685"), WHOLE, 26.85),
    "TESCAN": (50431, "\0\1head\2" + TESCAN, WHOLE, 5.0),
    "TESCAN, comma": (50431, TESCAN.replace("5.0e", "5,0e"), WHOLE, 5.0),
    "TESCAN, not square": (50431, TESCAN.replace("Y=5", "Y=7"), WHOLE, "7 nm high"),
    "unknown": (65100, "Brand=X;Pixel size: 12.5 nm", WHOLE, "speaks of a scale"),
}  # fmt: skip


def spelled(path: Path, size: tuple[int, int]) -> tuple[float | None, str]:
    reading = read_scale(path, size)
    scale = reading.scale.nm_per_pixel if reading.scale else None
    return scale, "; ".join(spell(warning, "cli") for warning in reading.warnings)


def check(path: Path, size: tuple[int, int], expected: float | str) -> None:
    scale, warnings = spelled(path, size)
    if isinstance(expected, str):
        assert scale is None
        assert expected in warnings
        assert "--nm-per-pixel" in warnings
    else:
        assert scale == pytest.approx(expected, rel=1e-4)
        assert warnings == ""


@pytest.mark.parametrize("case", TAGS)
def test_the_scale_in_tags(tmp_path: Path, case: str) -> None:
    code, text, size, expected = TAGS[case]
    path, content = tmp_path / "mat.tif", text.encode("latin-1")
    is_text = code in (34118, 34680, 34682)
    tag = (code, "s" if is_text else "B", len(content) + is_text, content, True)
    tifffile.imwrite(path, GREY, extratags=[tag])
    check(path, size, expected)


SIDECARS = {
    "Hitachi": ("mat.txt", HITACHI.format("6.614583"), WHOLE, 6.614583),
    "Hitachi, m": ("mat.txt", HITACHI.format("2.5e-008"), WHOLE, 25.0),
    "Hitachi, comma": ("mat.txt", HITACHI.format("6,614583"), WHOLE, 6.614583),
    "Hitachi, µm": ("mat.TXT", HITACHI.format("0.025 um"), WHOLE, 25.0),
    "Hitachi, magnification only": (
        "mat.txt",
        HITACHI.replace("PixelSize", "Nothing"),
        WHOLE,
        127e6 / 30000 / 128,
    ),
    "Hitachi, bar cut off": ("mat.txt", HITACHI.format("6.5"), (128, 80), 6.5),
    "Hitachi, half": ("mat.txt", HITACHI.format("242"), HALF, "242 nm if it was cut out, 484 nm"),
    "Hitachi, none": ("mat.txt", HITACHI.format("none"), WHOLE, "'none' is not understood"),
    "JEOL": ("mat.txt", JEOL.format("1um"), WHOLE, 25.0),
    "JEOL, µ": ("mat.txt", JEOL.format("1µm"), WHOLE, 25.0),
    "JEOL, nm": ("mat.txt", JEOL.format("500nm"), WHOLE, 12.5),
    "JEOL, smaller": ("mat.txt", JEOL.format("1um"), HALF, "50 nm if it was scaled"),
    "JEOL, magnification only": ("mat.txt", "$CM_MAG 5000\n", WHOLE, "is not understood"),
    "TESCAN": ("mat-tif.hdr", TESCAN, WHOLE, 5.0),
    "TESCAN, plain": ("mat.hdr", TESCAN, WHOLE, 5.0),
}


@pytest.mark.parametrize("case", SIDECARS)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16", "utf-16-le"])
def test_the_scale_in_sidecars(tmp_path: Path, case: str, encoding: str) -> None:
    name, text, size, expected = SIDECARS[case]
    (tmp_path / name).write_bytes(text.encode(encoding))
    path = tmp_path / "mat.tif"
    Image.fromarray(GREY).save(path)
    check(path, size, expected)


PROGRAMS = {
    "ImageJ, nm": ({"imagej": True, "resolution": (0.1, 0.1), "metadata": {"unit": "nm"}}, 10.0),
    "ImageJ, µm": (
        {"imagej": True, "resolution": (100, 100), "metadata": {"unit": "\\u00B5m"}}, 10.0,
    ),
    "ImageJ, odd": (
        {"imagej": True, "resolution": (1, 1), "metadata": {"unit": "ell"}},
        "'ell' is not understood",
    ),
    "cm": ({"resolution": (1e6, 1e6), "resolutionunit": 3}, 10.0),
    "inch": ({"resolution": (2.54e6, 2.54e6), "resolutionunit": 2}, 10.0),
    "cm, not square": ({"resolution": (1e6, 5e5), "resolutionunit": 3}, "20 nm high"),
    "OME": (
        {"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 0.01, "PhysicalSizeY": 0.01}},
        10.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PROGRAMS)
def test_the_scale_that_programs_write(tmp_path: Path, case: str) -> None:
    words, expected = PROGRAMS[case]
    path = tmp_path / "mat.tif"
    tifffile.imwrite(path, GREY, **words)
    check(path, WHOLE, expected)


@pytest.mark.parametrize("dots", [72, 96, 300, 1200, 9600])
def test_a_printers_resolution_means_nothing(tmp_path: Path, dots: int) -> None:
    for name in ("mat.tif", "mat.png", "mat.jpg"):
        Image.fromarray(GREY).save(tmp_path / name, dpi=(dots, dots))
        assert spelled(tmp_path / name, WHOLE) == (None, "")


def test_the_scale_of_a_png_and_of_a_phenoms_jpeg(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "mat.png", dpi=(2.54e6, 2.54e6))
    check(tmp_path / "mat.png", WHOLE, 10.0)
    file = io.BytesIO()
    Image.fromarray(GREY).save(file, "JPEG")
    (tmp_path / "phenom.jpg").write_bytes(file.getvalue() + PHENOM.encode())
    check(tmp_path / "phenom.jpg", WHOLE, 26.85)


def test_two_scales_that_differ_are_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "mat.tif"
    tag = (34682, "s", len(FEI) + 1, FEI, True)
    tifffile.imwrite(path, GREY, extratags=[tag])
    path.with_suffix(".txt").write_text(HITACHI.format("6.5"))
    check(path, WHOLE, "gives 6.5 nm per pixel, but TIFF tag: [Scan] PixelWidth 2.5 nm")
    assert read_scale(path, WHOLE, 2.5).scale.source == "stated"


def test_a_copied_resolution_does_not_settle_what_is_doubtful(tmp_path: Path) -> None:
    path = tmp_path / "mat.tif"
    tag = (34682, "s", len(FEI) + 1, FEI, True)
    tifffile.imwrite(path, GREY, extratags=[tag], resolution=(4e6, 4e6), resolutionunit=3)
    check(path, HALF, "5 nm if it was scaled")


def test_a_thumbnail_is_not_measured(tmp_path: Path) -> None:
    path = tmp_path / "mat.tif"
    tag = (34682, "s", len(FEI) + 1, FEI, True)
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(GREY[::3, ::3], extratags=[tag])
        tiff.write(GREY)
        tiff.write(GREY[:40, :40])
    picture = open_micrograph(path, max_megapixels=1)
    assert picture.grey.shape == (96, 128)
    assert picture.nm_per_pixel == 2.5
    with tifffile.TiffWriter(path) as tiff:
        for n in (0, 1, 2):
            tiff.write(np.roll(GREY, n, axis=1))
    picture = open_micrograph(path, max_megapixels=1)
    assert (picture.grey == GREY).all()
    assert "3 pictures of one size" in picture.warnings[0]


def test_an_unlikely_diameter_is_questioned(tmp_path: Path) -> None:
    path = tmp_path / "mat.png"
    y, x = np.mgrid[:96, :128]
    Image.fromarray((128 + 90 * np.sin((x + 0.3 * y) / 3.0)).astype(np.uint8)).save(path)
    for nm_per_pixel, is_odd in ((0.2, True), (50.0, False), (19_000.0, True)):
        picture = open_micrograph(path, HowTaken(nm_per_pixel), max_megapixels=1)
        warnings = picture.document(picture.measure())["warnings"]
        assert any("is outside 5 nm to 50 µm" in warning for warning in warnings) == is_odd


def test_a_box_that_is_stated(tmp_path: Path) -> None:
    path = tmp_path / "mat.png"
    Image.fromarray(GREY).save(path)
    picture = open_micrograph(path, HowTaken(crop=crop_of("10, 5,100,90")), max_megapixels=1)
    assert picture.inside.shape == (85, 90)
    with pytest.raises(UsageError, match="expected a box within 128 × 96 pixels"):
        open_micrograph(path, HowTaken(crop=(0, 0, 200, 90)), max_megapixels=1)
    for text in ("1,2,3", "a,b,c,d", "5,5,5,9", "-1,0,9,9"):
        with pytest.raises(UsageError, match="crop: expected"):
            HowTaken(crop=crop_of(text))
    with pytest.raises(UsageError, match="scale_bar: expected a length with its unit"):
        HowTaken(scale_bar="two")
