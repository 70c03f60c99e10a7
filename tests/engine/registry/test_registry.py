"""Versions and their files: what is kept, what serves, what a disk that fails leaves behind."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from db.records import ModelKind, ModelStatus
from db.transaction import Transaction
from engine.errors import DataError, NotFoundError, StateError
from engine.registry.files import FILES, Kept, keep
from engine.registry.serving_version import serving
from engine.registry.versions import list_models, orphans, promote, prune, rollback
from engine.workspace import Workspace
from surrogate.files import draft_of

SURROGATE = ModelKind.SURROGATE
ROOT = Path(__file__).resolve().parents[3]


def fill_with(text: str) -> Callable[[Path], None]:
    def fill(folder: Path) -> None:
        (folder / "sub").mkdir()
        (folder / "weights").write_text(text * 100, encoding="utf-8")
        (folder / "sub" / "card").write_text(text, encoding="utf-8")

    return fill


def add(workspace: Workspace, text: str, *, serve: bool = True) -> tuple[int, Kept]:
    kept = keep(workspace.data_dir, SURROGATE, fill_with(text))
    with workspace.database.write("test") as tx:
        id_ = tx.models.add(
            1,
            kind=SURROGATE,
            artifact_path=kept.artifact,
            sha256=kept.digest,
            watermark=0,
            metrics={},
            config={FILES: dict(kept.files)},
        )
        if serve:
            tx.models.promote(id_, reason="test")
    return id_, kept


def serves(workspace: Workspace) -> tuple[int | None, str]:
    def look(tx: Transaction) -> tuple[int | None, str]:
        found = serving(workspace.data_dir, tx, 1, SURROGATE)
        return None if found.version is None else found.version.id, " ".join(found.notes)

    with workspace.database.read() as tx:
        return look(tx)


def names(workspace: Workspace) -> list[str]:
    home = workspace.data_dir / "models"
    return sorted(os.listdir(home)) if home.is_dir() else []


class TestFiles:
    def test_same_content_is_one_folder(self, workspace: Workspace) -> None:
        first = keep(workspace.data_dir, SURROGATE, fill_with("a"))
        again = keep(workspace.data_dir, SURROGATE, fill_with("a"))
        other = keep(workspace.data_dir, SURROGATE, fill_with("b"))
        assert (first.is_new, again.is_new, other.is_new) == (True, False, True)
        assert first.artifact == again.artifact
        assert set(first.files) == {"weights", "sub/card"}
        assert len(names(workspace)) == 2

    def test_a_damaged_one_is_replaced(self, workspace: Workspace) -> None:
        first = keep(workspace.data_dir, SURROGATE, fill_with("a"))
        (first.folder / "weights").write_text("x", encoding="utf-8")
        assert keep(workspace.data_dir, SURROGATE, fill_with("a")).is_new
        assert (first.folder / "weights").read_text(encoding="utf-8") == "a" * 100

    @pytest.mark.parametrize(
        ("number", "message"),
        [
            (errno.ENOSPC, "the disk is full"),
            (errno.EDQUOT, "the disk is full"),
            (errno.EROFS, "make the data folder writable"),
            (errno.EACCES, "make the data folder writable"),
        ],
    )
    @pytest.mark.parametrize("step", ["pathlib.Path.mkdir", "os.fsync", "pathlib.Path.rename"])
    def test_a_disk_that_fails_leaves_nothing(
        self,
        workspace: Workspace,
        monkeypatch: pytest.MonkeyPatch,
        number: int,
        message: str,
        step: str,
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        champion, _ = add(workspace, "a")
        before = names(workspace)
        monkeypatch.setattr(step, fail)
        with pytest.raises(DataError, match=message):
            keep(workspace.data_dir, SURROGATE, fill_with("b"))
        monkeypatch.undo()
        assert names(workspace) == before
        assert serves(workspace) == (champion, "")

    def test_a_file_too_large_for_the_disk(self, workspace: Workspace, tmp_path: Path) -> None:
        # The limit belongs to a process of its own; a write beyond it fails as on a full disk.
        code = (
            "import resource, signal, sys\nfrom pathlib import Path\n"
            "from db.records import ModelKind\nfrom engine.errors import DataError\n"
            "from engine.registry.files import keep\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
            "def fill(folder): (folder / 'weights').write_bytes(bytes(5000))\n"
            "try:\n    keep(Path(sys.argv[1]), ModelKind.SURROGATE, fill)\n"
            "except DataError as error:\n    print(error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "data")],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "the disk is full" in done.stdout
        assert os.listdir(tmp_path / "data" / "models") == []
        assert resource.RLIM_INFINITY

    @pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to mount")
    def test_a_full_and_a_read_only_disk(self, workspace: Workspace, tmp_path: Path) -> None:
        place = tmp_path / "small"
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("cannot mount here")
        try:
            with pytest.raises(DataError, match="the disk is full"):
                keep(
                    place, SURROGATE, lambda aside: (aside / "w").write_bytes(bytes(10**6)) and None
                )
            assert os.listdir(place / "models") == []
            remount = ["mount", "-o", "remount,ro", str(place)]
            if subprocess.run(remount, capture_output=True, check=False).returncode == 0:
                with pytest.raises(DataError, match="Read-only file system"):
                    keep(place, SURROGATE, fill_with("a"))
        finally:
            subprocess.run(["umount", str(place)], check=False)


class TestServing:
    @pytest.mark.parametrize("harm", ["deleted", "one byte", "a file less", "another file too"])
    def test_the_last_good_one_serves(self, workspace: Workspace, harm: str) -> None:
        first, _ = add(workspace, "a")
        second, kept = add(workspace, "b")
        assert serves(workspace) == (second, "")
        if harm == "deleted":
            shutil.rmtree(kept.folder)
        elif harm == "one byte":
            content = bytearray((kept.folder / "weights").read_bytes())
            content[17] ^= 1
            (kept.folder / "weights").write_bytes(content)
        elif harm == "a file less":
            (kept.folder / "sub" / "card").unlink()
        else:  # does no harm
            (kept.folder / "readme").write_text("mine", encoding="utf-8")
            assert serves(workspace)[0] == second
            return
        who, told = serves(workspace)
        assert who == first
        assert f"model {second}" in told
        assert "until that is mended" in told
        (entry, _) = list_models(workspace)
        assert entry.problems
        with pytest.raises(DataError, match="cannot serve"):
            promote(workspace, second)

    def test_the_starter_in_the_end(self, workspace: Workspace) -> None:
        _, kept = add(workspace, "a")
        shutil.rmtree(kept.folder)
        who, told = serves(workspace)
        assert who is None
        assert "engine refresh --full" in told

    def test_rollback_passes_over_what_is_gone(self, workspace: Workspace) -> None:
        first, _ = add(workspace, "a")
        _, kept = add(workspace, "b")
        third, _ = add(workspace, "c")
        shutil.rmtree(kept.folder)
        done = rollback(workspace)
        assert (done.now_id, done.former_id) == (first, third)
        assert "is not there" in done.notes[0]
        assert rollback(workspace).now_id is None
        with pytest.raises(StateError, match="nothing to roll back"):
            rollback(workspace)

    def test_promoting_what_was_rolled_back(self, workspace: Workspace) -> None:
        first, _ = add(workspace, "a")
        second, _ = add(workspace, "b")
        rollback(workspace)
        assert promote(workspace, second).former_id == first
        assert rollback(workspace).now_id == first

    def test_what_is_not_there_cannot_be_promoted(self, workspace: Workspace) -> None:
        with pytest.raises(NotFoundError, match="there is no model 7"):
            promote(workspace, 7)
        _, kept = add(workspace, "a", serve=False)
        shutil.rmtree(kept.folder)
        with pytest.raises(DataError, match="cannot serve"):
            promote(workspace, 1)
        assert serves(workspace)[0] is None


class TestPruning:
    def test_keeps_what_is_needed(self, workspace: Workspace) -> None:
        made = [add(workspace, letter, serve=letter in "ac")[0] for letter in "abcdef"]
        planned = prune(workspace, keep=1, is_dry_run=True)
        done = prune(workspace, keep=1)
        assert planned.ids == done.ids == (made[1], made[3], made[4])
        assert planned.n_bytes == done.n_bytes > 0
        assert len(names(workspace)) == 3
        assert [e.version.is_pruned for e in reversed(list_models(workspace))] == [
            False, True, False, True, True, False
        ]  # fmt: skip
        assert serves(workspace) == (made[2], "")
        assert orphans(workspace) == []

    def test_shared_files_stay(self, workspace: Workspace) -> None:
        add(workspace, "a")
        add(workspace, "b")
        add(workspace, "a", serve=False)
        add(workspace, "c", serve=False)
        assert prune(workspace, keep=1).ids == (3,)
        assert len(names(workspace)) == 3

    def test_orphans_are_found(self, workspace: Workspace) -> None:
        add(workspace, "a")
        keep(workspace.data_dir, SURROGATE, fill_with("b"))
        # Left by a process that was killed, and by one of a version from before 0.1.0.
        draft_of(workspace.data_dir / "models" / "surrogate").mkdir()
        (workspace.data_dir / "models" / ".new-abc").mkdir()
        (workspace.data_dir / "models" / ".refresh-surrogate-1").mkdir()
        assert len(orphans(workspace)) == 3

    def test_status_of_what_was_made(self, workspace: Workspace) -> None:
        add(workspace, "a")
        assert list_models(workspace, ModelKind.GENERATOR) == []
        (entry,) = list_models(workspace)
        assert entry.version.status is ModelStatus.CHAMPION
        assert [one.reason for one in entry.served] == ["test"]


def test_an_altered_champion_is_told_by_every_command(
    engine: Callable[..., Any], folder: Path
) -> None:
    with Workspace.open(folder / "config.toml") as workspace:
        _, kept = add(workspace, "a")
        (kept.folder / "weights").write_text("b", encoding="utf-8")
    answer = engine("propose", "--n", "1", "--dry-run")
    assert answer.exit_code == 0
    assert "was altered: expected SHA-256" in answer.err
    assert "what ships with the program serves" in answer.err
