"""Pictures drawn for a browser: whole, once, within bounded memory; a failure is remembered."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import DataError
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.micrographs import reading, thumbnails
from engine.micrographs.thumbnails import overlay_of, rendition
from engine.retrieval.contact_sheet import Panel, draw
from engine.workspace import Workspace
from surrogate.files import whole_file

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}
MOST_GROWN_MEGABYTES = 300
"""A server of some 270 MB stays below 600."""


@pytest.fixture
def kept(workspace: Workspace, tmp_path: Path) -> int:
    path = tmp_path / "mat.png"
    y, x = np.mgrid[:96, :96]
    Image.fromarray((128 + 80 * np.sin((x + 0.3 * y) / 3.0)).astype(np.uint8)).save(path)
    return record(workspace, Entry(conditions=SETTINGS, micrographs=(path,))).experiment.id


def by_eight(ask) -> list[bytes]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda _: ask(), range(8)))


def test_eight_at_once_get_the_same_whole_picture(workspace, kept, tmp_path, monkeypatch) -> None:
    drawings = []
    read = thumbnails._draw_rendition
    monkeypatch.setattr(
        thumbnails, "_draw_rendition", lambda *words: (drawings.append(1), read(*words))
    )
    panel = Panel(np.arange(4096, dtype=np.float32).reshape(64, 64), 50.0, ("run 1",))

    def sheet() -> bytes:
        path = tmp_path / "sheet.png"
        with whole_file(path) as draft:
            draw([panel, panel]).save(draft, format="PNG")
        return path.read_bytes()

    for ask in (
        lambda: rendition(workspace, 1, 320).read_bytes(),
        lambda: overlay_of(workspace, 1).read_bytes(),
        sheet,
    ):
        contents = by_eight(ask)
        assert len(set(contents)) == 1
        assert contents[0].startswith(b"\x89PNG")
        assert contents[0].endswith(b"IEND\xaeB`\x82")
    assert len(drawings) == 1


def test_what_cannot_be_drawn_is_tried_once(workspace, kept, folder, monkeypatch) -> None:
    path = next((folder / "spinneret-data" / "micrographs").rglob("*.png"))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    attempts = []
    read = reading._read
    monkeypatch.setattr(reading, "_read", lambda *words: (attempts.append(1), read(*words))[1])

    def refused(ask) -> str:
        with pytest.raises(DataError, match="damaged") as error:
            ask()
        return str(error.value)

    messages = {refused(lambda: rendition(workspace, 1, 320)) for _ in range(3)}
    assert len(messages) == len(attempts) == 1
    for _ in range(3):
        refused(lambda: overlay_of(workspace, 1))
    assert len(attempts) == 2
    # Put back from a copy, it is another file and is drawn.
    path.write_bytes(content)
    assert rendition(workspace, 1, 320).is_file()


def test_an_overlay_follows_the_rotation(workspace, kept) -> None:
    from engine.micrographs.overlay import measure_again
    from engine.micrographs.scale import HowTaken

    along = overlay_of(workspace, 1).read_bytes()
    measure_again(workspace, [1], HowTaken(None, "y"))
    assert overlay_of(workspace, 1).read_bytes() != along


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "I;16"])
def test_a_reduced_picture_is_the_mean_of_its_blocks(tmp_path, monkeypatch, mode) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (203, 322)).astype(np.uint8)
    image = Image.fromarray(grey.astype(np.uint16) * 9) if mode == "I;16" else Image.fromarray(grey)
    path = tmp_path / "mat.png"
    (image if mode in ("L", "I;16") else image.convert(mode)).save(path)
    monkeypatch.setattr(reading, "_BAND_PX", 2000)
    every = reading.read_grey(path, max_megapixels=1)
    reduced = reading.read_reduced(path, 80, max_megapixels=1)
    assert reduced.shape == (101, 161)
    blocks = every[:202, :322].reshape(101, 2, 161, 2).mean(axis=(1, 3))
    assert np.allclose(reduced, blocks, atol=0.51)


@pytest.mark.parametrize("size", [(1, 1), (31, 200), (200, 31)])
def test_what_cannot_be_measured_is_not_kept(workspace, tmp_path, size) -> None:
    path = tmp_path / "mat.png"
    Image.effect_noise(size, 50).save(path)
    with pytest.raises(DataError, match="at least 32 × 32 pixels, got"):
        record(workspace, Entry(conditions=SETTINGS, micrographs=(path,)))
    with workspace.database.read() as tx:
        assert tx.experiments.count(1)["running"] == 0


@pytest.mark.skipif(os.name == "nt", reason="no peak memory to be asked for")
def test_ten_requests_of_98_megapixels_need_little_memory(folder, tmp_path) -> None:
    script = f"""
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from PIL import Image
import numpy as np
from engine.errors import DataError
from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.micrographs.thumbnails import overlay_of, rendition
from engine.workspace import Workspace

def peak():
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6

def keep(workspace, name, corner):
    image = Image.new("1", (10_000, 9_800))
    image.paste(1, corner)
    image.save(Path({str(tmp_path)!r}) / name)
    entry = Entry(conditions={SETTINGS!r}, micrographs=(Path({str(tmp_path)!r}) / name,))
    record(workspace, entry)

def ask(request):
    id_, size = request
    try:
        path = rendition(workspace, id_, size) if size else overlay_of(workspace, id_)
        return path.stat().st_size
    except DataError as error:
        return str(error)

with Workspace.open(Path("config.toml")) as workspace:
    before = peak()
    keep(workspace, "blank.png", (0, 0, 0, 0))
    keep(workspace, "dot.png", (0, 0, 5000, 50))
    with ThreadPoolExecutor(10) as pool:
        blank = list(pool.map(ask, [(1, 320), (1, 0)] * 5))
        drawn = list(pool.map(ask, [(2, 320)] * 10))
    assert all("shows nothing" in answer for answer in blank), blank
    assert all(size > 100 for size in drawn), drawn
    print(peak() - before)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) < MOST_GROWN_MEGABYTES, run.stdout
