"""What is made below a guarded place is for its owner; elsewhere the umask decides."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from surrogate import private_files
from surrogate.files import whole_file, whole_folder, write_whole
from surrogate.private_files import guard, make_folder, mode_at

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True, params=[0o022, 0o002, 0o077])
def umask(request, monkeypatch) -> Iterator[int]:
    monkeypatch.setattr(private_files, "_GUARDED", {})
    former = os.umask(request.param)
    yield request.param
    os.umask(former)


@pytest.mark.parametrize(("group", "file", "folder"), [(False, 0o600, 0o700), (True, 0o640, 0o750)])
def test_all_that_is_made_in_a_guarded_place(tmp_path, group, file, folder) -> None:
    data = tmp_path / "data"
    guard(data, group_readable=group)
    make_folder(data / "a" / "b")
    write_whole(data / "a" / "text.csv", "x")
    copied = tmp_path / "copied.png"
    copied.write_bytes(b"x")
    copied.chmod(0o666)
    with whole_file(data / "a" / "copy.png") as draft:
        assert mode_of(draft) | file == file, "while it fills, too"
        copied.replace(draft)
    with whole_folder(data / "model") as draft:
        assert mode_of(draft) | folder == folder
        (draft / "inner").mkdir()
        (draft / "inner" / "weights").write_bytes(b"x")
    for path in (data, *data.rglob("*")):
        assert mode_of(path) == (folder if path.is_dir() else file), path


def test_elsewhere_the_umask_decides(tmp_path, umask) -> None:
    guard(tmp_path / "data", group_readable=False)
    make_folder(tmp_path / "out" / "b")
    write_whole(tmp_path / "out" / "runs.csv", "x")
    write_whole(tmp_path / "data.csv", "x")
    with whole_folder(tmp_path / "out" / "model") as draft:
        (draft / "weights").write_bytes(b"x")
    for path in (tmp_path / "data.csv", tmp_path / "out", *(tmp_path / "out").rglob("*")):
        assert mode_of(path) == (0o777 if path.is_dir() else 0o666) & ~umask, path


def test_a_place_is_known_through_links_and_dots(tmp_path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    guard(tmp_path / "data", group_readable=False)
    for name in ("data/x", "disk/x", "disk/../data/y/x"):
        assert mode_at(tmp_path / name) == 0o600
    assert mode_at(tmp_path / "disk2") is None
    assert mode_at(tmp_path / "data" / ".." / "x") is None


def test_what_was_there_keeps_its_permissions(tmp_path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "old").write_text("x")
    data.chmod(0o755)
    (data / "old").chmod(0o644)
    guard(data, group_readable=False)
    make_folder(data)
    write_whole(data / "new", "x")
    assert (mode_of(data), mode_of(data / "old"), mode_of(data / "new")) == (0o755, 0o644, 0o600)
    make_folder(data / "new folder")
    assert mode_of(data / "new folder") == 0o700


def test_a_file_in_the_way_of_a_folder_is_told(tmp_path) -> None:
    (tmp_path / "data").write_text("x")
    with pytest.raises(OSError, match="data"):
        make_folder(tmp_path / "data")
    with pytest.raises(OSError, match="data"):
        make_folder(tmp_path / "data" / "b")
