"""Files of tensors and JSON are exactly what was written, or refused with the kind's own error."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from surrogate.tensor_files import TensorFiles, tensors_to_bytes


class RefusedError(Exception):
    pass


FILES = TensorFiles(RefusedError, "Make it again")


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    weights = torch.arange(6.0).reshape(2, 3)
    seal = FILES.write(path, tensors_to_bytes({"w": weights, "shared": weights[0]}))
    assert torch.equal(FILES.read_tensors(path, seal)["w"], weights)
    FILES.write(tmp_path / "card.json", FILES.to_json(seal))
    assert FILES.read_json(tmp_path / "card.json") == seal


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"short", "cut short or exchanged. Make it again"),
        (b"x" * 7, "damaged or exchanged. Make it again"),
        (b"PK\x03\x04zip", "got a pickle"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "weights.safetensors"
    seal = FILES.write(path, b"y" * 7)
    path.write_bytes(content)
    with pytest.raises(RefusedError, match=message):
        FILES.read_tensors(path, seal)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="cannot be written: No such file"):
        FILES.write(tmp_path / "none" / "card.json", b"{}")
    with pytest.raises(RefusedError, match="cannot be read: No such file"):
        FILES.read_json(tmp_path / "none" / "card.json")


def test_json_far_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surrogate.tensor_files._LONGEST_JSON", 3)
    (tmp_path / "card.json").write_text("{    }")
    with pytest.raises(RefusedError, match="expected at most 3 bytes of JSON, got 6"):
        FILES.read_json(tmp_path / "card.json")
