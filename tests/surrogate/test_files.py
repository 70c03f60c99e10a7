"""Files appear whole or not at all, whoever writes them at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from surrogate.files import draft_of, sweep_drafts, whole_file, whole_folder, write_whole


def test_a_file_named_by_two_threads_at_once_is_written_whole_by_both(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    barrier = threading.Barrier(2)

    def write(letter: str) -> None:
        for _ in range(50):
            barrier.wait()
            with whole_file(path) as draft, draft.open("w") as file:
                for _ in range(20):
                    file.write(letter * 1000)
                    file.flush()
            assert path.read_text() in ("a" * 20_000, "b" * 20_000)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(write, letter) for letter in "ab"]:
            done.result()
    assert [file.name for file in tmp_path.iterdir()] == ["picture.png"]


def test_drafts_of_one_thread_differ_too(tmp_path: Path) -> None:
    assert draft_of(tmp_path / "x.csv") != draft_of(tmp_path / "x.csv")


def test_a_writer_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    write_whole(path, "before")

    def fail() -> None:
        with whole_file(path) as draft:
            draft.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("surrogate.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "config.toml", "text")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_unless_it_may_be(tmp_path: Path) -> None:
    path = tmp_path / "copy.db"

    def write() -> None:
        with whole_file(path, overwrite=False) as draft:
            draft.write_text("mine")
            path.write_text("came meanwhile")

    with pytest.raises(FileExistsError):
        write()
    assert path.read_text() == "came meanwhile"


def test_a_folder_appears_with_all_its_files(tmp_path: Path) -> None:
    place = tmp_path / "model"
    with whole_folder(place) as draft:
        (draft / "deep").mkdir()
        (draft / "deep" / "weights").write_bytes(b"1")
        assert not place.exists()
    assert (place / "deep" / "weights").read_bytes() == b"1"
    assert list(tmp_path.iterdir()) == [place]


def test_drafts_of_the_dead_are_swept(tmp_path: Path) -> None:
    draft_of(tmp_path / "a.png").write_text("old")
    draft_of(tmp_path / "b").mkdir()
    (tmp_path / ".c.db.new-41").write_text("of 0.1.0")
    kept = tmp_path / "kept.png"
    kept.write_text("whole")
    assert sweep_drafts(tmp_path) == []
    assert len(sweep_drafts(tmp_path, older_than_s=-1.0)) == 3
    assert list(tmp_path.iterdir()) == [kept]
