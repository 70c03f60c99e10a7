"""One picture of many: opened, measured, summed up in plain numbers that fit on a line of JSON."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import DataError, SpinneretError, marked, place
from engine.errors import field as field_of
from engine.micrographs.scale import HowTaken
from engine.micrographs.sidecars import sidecars_of
from surrogate.files import whole_file, write_whole

if TYPE_CHECKING:
    from engine.micrographs.opened import Opened
    from generator.statistics import Measured

FORMAT = 1
"""Of what a journal holds of a picture: another one is read anew."""

THIN_PX = 5.0
FEW_FIBRES = 20
FIBRE_COLUMNS = ("x_px", "y_px", "angle_deg", "width_px", "error_px", "n_places")


@dataclass(frozen=True)
class PictureTask:
    """What is to be done with a picture; paths as the process that does it sees them.

    ``stated``: :class:`engine.micrographs.scale.HowTaken` as a dictionary.
    """

    path: str
    name: str
    stated: Mapping[str, Any] = field(default_factory=lambda: asdict(HowTaken()))
    max_megapixels: float = 100.0
    overlay: str | None = None
    fibres: str | None = None

    def key(self) -> str:
        """Return a hash of all that the numbers depend on: content, sidecar, options, method.

        Raises:
            OSError: the file cannot be read.
        """
        from generator.statistics import VERSION

        path, digest = Path(self.path), hashlib.sha256()
        options = [FORMAT, VERSION, dict(self.stated), self.max_megapixels]
        digest.update(json.dumps(options, sort_keys=True).encode())
        for file in (path, *sidecars_of(path)):
            with file.open("rb") as content:
                digest.update(hashlib.file_digest(content, "sha256").digest())
        return digest.hexdigest()


@dataclass(frozen=True)
class PictureReading:
    """What became of a picture.

    Attributes:
        name: below the folder that was read.
        sample: what it shows.
        problem: why there are no statistics, with the marks of :mod:`engine.errors`.
        width_px: of the file; also ``height_px``.
        nm_per_pixel: a pixel's size; ``None``: lengths are in pixels.
        nm_per_pixel_source: who said so.
        crop: left, top, right, bottom [px] of what is no data bar.
        statistics: :class:`generator.statistics.MicrostructureStatistics` as JSON.
        n_fibres: how many single fibres were made out.
        classes: middles of diameter classes in the statistics' unit; ``shares``: of visible length.
        warnings: what to think of before the numbers are used.
        fibres: the file with every fibre, see :data:`FIBRE_COLUMNS`.
        is_resumed: measured by an earlier run.
    """

    name: str
    sample: str = ""
    problem: str | None = None
    width_px: int | None = None
    height_px: int | None = None
    nm_per_pixel: float | None = None
    nm_per_pixel_source: str | None = None
    crop: tuple[int, int, int, int] | None = None
    statistics: Mapping[str, Any] | None = None
    n_fibres: int | None = None
    classes: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    warnings: tuple[str, ...] = ()
    fibres: str | None = None
    is_resumed: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return plain JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> PictureReading:
        """Return the reading of a document made by :meth:`as_json`.

        Raises:
            TypeError: it is none.
        """
        lists = {key: tuple(value) for key, value in document.items() if isinstance(value, list)}
        return cls(**{**document, **lists})


def read_picture(task: PictureTask) -> PictureReading:
    """Measure a picture; write its overlay and fibres where the task says so.

    Whatever is wrong with it stands in the reading's ``problem``.
    """
    try:
        return _read(task)
    except SpinneretError as error:
        return PictureReading(task.name, problem=marked(error))
    except MemoryError:
        return PictureReading(task.name, problem=f"{task.name}: not enough memory to measure it")
    except OSError as error:
        return PictureReading(task.name, problem=f"{task.name}: {error.strerror or error}")


def _read(task: PictureTask) -> PictureReading:
    from engine.micrographs.opened import open_micrograph

    stated = HowTaken.from_params(task.stated)
    picture = open_micrograph(
        Path(task.path), stated, max_megapixels=task.max_megapixels, name=task.name
    )
    measured = picture.measure()
    n_fibres = _read_fibres(measured, picture, task.fibres)
    if task.overlay is not None:
        _draw_overlay(picture, measured, Path(task.overlay))
    classes, shares = _distribution(measured)
    return PictureReading(
        task.name,
        width_px=picture.grey.shape[1],
        height_px=picture.grey.shape[0],
        nm_per_pixel=picture.nm_per_pixel,
        nm_per_pixel_source=picture.scale_source,
        crop=picture.crop,
        statistics=picture.document(measured),
        n_fibres=n_fibres,
        classes=classes,
        shares=shares,
        warnings=(*picture.warnings, *_warnings(measured, n_fibres)),
        fibres=task.fibres,
    )


def _read_fibres(measured: Measured, picture: Opened, path: str | None) -> int:
    import numpy as np

    from generator.fibres import FEWEST_PLACES, find_fibres

    fibres = find_fibres(measured.reading)
    sure = fibres.n_places >= FEWEST_PLACES
    if path is not None:
        x_from, y_from = picture.crop[:2] if picture.crop else (0, 0)
        columns = (fibres.x + x_from, fibres.y + y_from, fibres.angle, fibres.width, fibres.error,
                   fibres.n_places)  # fmt: skip
        text = io.StringIO()
        np.savetxt(text, np.stack(columns, axis=1)[sure], fmt="%.6g", delimiter=",")
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_whole(Path(path), text.getvalue())
    return int(sure.sum())


def _draw_overlay(picture: Opened, measured: Measured, path: Path) -> None:
    from PIL import Image

    from engine.micrographs.annotated import annotated

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as draft:
            Image.fromarray(annotated(picture, measured)).save(draft, format="PNG")
    except OSError as error:
        raise DataError(f"{place(path)} cannot be written: {error.strerror or error}") from error


def _distribution(measured: Measured) -> tuple[tuple[float, ...], tuple[float, ...]]:
    from generator.spreads import class_diameters

    reading, scale = measured.reading, measured.statistics.nm_per_pixel or 1.0
    if reading.mean_diameter is None:
        return (), ()
    lengths, diameter = reading.lengths, measured.statistics.diameter
    spread = None if not diameter.mean else (diameter.sd or 0.0) / diameter.mean
    moved = class_diameters(reading, spread) * reading.width_scale * scale
    classes = (float(diameter_class) for diameter_class in moved)
    return tuple(classes), tuple(float(share) for share in lengths / lengths.sum())


def _warnings(measured: Measured, n_fibres: int) -> tuple[str, ...]:
    from engine.micrographs.opened import size_warnings

    statistics = measured.statistics
    mean, scale = statistics.diameter.mean, statistics.nm_per_pixel
    if mean is None:
        return ("no fibre was found",)
    warnings = [*size_warnings(statistics.as_json()), *statistics.doubts]
    if scale is None:
        warnings.append(f"no pixel size: lengths are in pixels; state {field_of('nm_per_pixel')}")
    if mean / (scale or 1.0) < THIN_PX:
        warnings.append(f"fibres of {mean / (scale or 1.0):.2g} pixels: too thin to measure well")
    if n_fibres < FEW_FIBRES:
        warnings.append(f"only {n_fibres} fibres")
    if statistics.standard_errors.get("diameter") is None:
        warnings.append("too small a picture for standard errors")
    return tuple(warnings)
