"""Files of tensors and of JSON: written whole, read with suspicion. Nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from surrogate import files

PICKLE_SUFFIXES = (".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt", ".joblib")
# Far above the largest card (a few MB of history), far below what would fill the memory.
_LONGEST_JSON = 64 * 2**20
# How a zip (torch.save since 1.6) and a bare pickle of protocol 2 to 5 begin:
# https://docs.python.org/3/library/pickletools.html
_ZIP, _PICKLE, _PROTOCOLS = b"PK\x03\x04", b"\x80", b"\2\3\4\5"


def tensors_to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors in safetensors' format."""
    # Cloned, because safetensors refuses tensors that share memory.
    copies = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    return safetensors.torch.save(copies)


def seal_of(content: bytes) -> dict[str, Any]:
    """Return a content's ``bytes`` (how many) and ``sha256``, by which it is recognised.

    >>> seal_of(b"fibres")
    {'bytes': 6, 'sha256': 'dd973e5e4531b3288e1e149faebda46ee6a7e2cba265cf2c6f1415ed576a7abc'}
    """
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


@dataclass(frozen=True)
class TensorFiles:
    """Reads and writes the files of one kind of folder.

    Attributes:
        error: raised by every method where a file cannot be used or written.
        mend: what a reader may do about a damaged file; it ends the messages.
    """

    error: type[Exception]
    mend: str

    def write(self, path: Path, content: bytes) -> dict[str, Any]:
        """Write a file whole; return its :func:`seal_of`."""
        try:
            files.write_whole(path, content)
        except OSError as error:
            raise self.error(f"{path} cannot be written: {error.strerror}") from error
        return seal_of(content)

    def to_json(self, document: Mapping[str, Any]) -> bytes:
        """Return a document as indented JSON; refuse what JSON has no word for, NaN included."""
        try:
            # NaN is no JSON: other readers refuse the whole file.
            text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
        except (TypeError, ValueError) as error:
            raise self.error(f"expected numbers, text, lists and tables only: {error}") from error
        return (text + "\n").encode()

    def read_json(self, path: Path) -> dict[str, Any]:
        """Read a JSON object; refuse a file that is missing, far too long, or something else."""
        try:
            if (size := path.stat().st_size) > _LONGEST_JSON:
                raise self.error(
                    f"{path}: expected at most {_LONGEST_JSON:,} bytes of JSON, got {size:,}. "
                    f"{self.mend}"
                )
            document = json.loads(path.read_bytes().decode())
        except OSError as error:
            raise self._unreadable(path, error) from error
        except ValueError as error:
            raise self.error(
                f"{path}: expected JSON, got something else: {error}. {self.mend}"
            ) from error
        if not isinstance(document, dict):
            raise self.error(
                f"{path}: expected a JSON object, got {type(document).__name__}. {self.mend}"
            )
        return document

    def read_sealed(self, path: Path, seal: Mapping[str, Any]) -> bytes:
        """Return a file's content; refuse one that is missing or has another :func:`seal_of`."""
        try:
            # The length first: a cut file is refused without being read.
            if (size := path.stat().st_size) != seal["bytes"]:
                raise self.error(
                    f"{path}: expected {seal['bytes']:,} bytes, got {size:,}: cut short or "
                    f"exchanged. {self.mend}"
                )
            content = path.read_bytes()
        except OSError as error:
            raise self._unreadable(path, error) from error
        expected, actual = str(seal["sha256"]), str(seal_of(content)["sha256"])
        if actual != expected:
            raise self.error(
                f"{path}: expected SHA-256 {expected[:12]}…, got {actual[:12]}…: damaged or "
                f"exchanged. {self.mend}"
            )
        return content

    def read_tensors(self, path: Path, seal: Mapping[str, Any]) -> dict[str, Tensor]:
        """Read safetensors; refuse a pickle, another :func:`seal_of`, and anything else."""
        self.refuse_pickle(path)
        # Read once: what was hashed is what is parsed, even if the file is exchanged in between.
        content = self.read_sealed(path, seal)
        try:
            return dict(safetensors.torch.load(content))
        except (safetensors.SafetensorError, ValueError, KeyError) as error:
            raise self.error(f"{path}: expected safetensors: {error}. {self.mend}") from error

    def refuse_pickle(self, path: Path) -> None:
        """Refuse what looks like a pickle by its name or its first bytes (torch's zip included)."""
        is_pickle = path.suffix.lower() in PICKLE_SUFFIXES
        if path.is_file() and not is_pickle:
            with path.open("rb") as file:
                start = file.read(4)
            is_pickle = start == _ZIP or (start[:1] == _PICKLE and start[1:2] in _PROTOCOLS)
        if is_pickle and (path.exists() or path.is_symlink()):
            raise self.error(
                f"{path}: expected safetensors, got a pickle, which can run any code and is never "
                f"read. {self.mend}"
            )

    def _unreadable(self, path: Path, error: OSError) -> Exception:
        return self.error(f"{path} cannot be read: {error.strerror}. {self.mend}")
