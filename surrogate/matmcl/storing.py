"""Files of tensors and of JSON: written whole, read with suspicion. Nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from surrogate.errors import CheckpointError

PICKLE_SUFFIXES = (".pt", ".pth", ".bin", ".pkl", ".pickle", ".ckpt", ".joblib")
_LONGEST_JSON = 64 * 2**20
_MEND = "Point at a folder that `save_checkpoint` wrote (model.safetensors and matmcl.json)"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file aside, flush it to the disk, rename it: it is there whole or not at all.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        aside = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            aside.chmod(0o644)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        flush_folder(path.parent)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be written: {error.strerror}") from error


def flush_folder(folder: Path) -> None:
    """Bring a folder's names to the disk (where the system can)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def tensors_to_bytes(tensors: Mapping[str, Tensor]) -> bytes:
    """Return tensors in safetensors' format."""
    whole = {name: one.detach().cpu().contiguous().clone() for name, one in tensors.items()}
    return safetensors.torch.save(whole)


def sha256(data: bytes) -> str:
    """Return the hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a document as indented JSON.

    Raises:
        CheckpointError: it holds something that JSON has no word for.
    """
    try:
        text = json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"expected numbers, text, lists and tables only: {error}") from error
    return (text + "\n").encode()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: the file is missing, far too long, or not a JSON object.
    """
    if path.is_file() and path.stat().st_size > _LONGEST_JSON:
        raise CheckpointError(
            f"{path}: expected at most {_LONGEST_JSON:,} bytes of JSON, got "
            f"{path.stat().st_size:,}. {_MEND}"
        )
    try:
        document = json.loads(_read(path).decode())
    except ValueError as error:
        raise CheckpointError(
            f"{path}: expected JSON, got something else: {error}. {_MEND}"
        ) from error
    if not isinstance(document, dict):
        raise CheckpointError(f"{path}: expected a JSON object, got {type(document).__name__}")
    return document


def read_tensors(path: Path, *, digest: str, size: int) -> dict[str, Tensor]:
    """Read a safetensors file that must be exactly what was written.

    Raises:
        CheckpointError: missing, a pickle, of another length or hash, or not safetensors.
    """
    refuse_pickle(path)
    found = path.stat().st_size if path.is_file() else -1
    if found >= 0 and found != size:
        raise CheckpointError(
            f"{path}: expected {size:,} bytes, got {found:,}: cut short or exchanged. "
            "Copy or make the checkpoint again"
        )
    data = _read(path)
    if (actual := sha256(data)) != digest:
        raise CheckpointError(
            f"{path}: expected SHA-256 {digest[:12]}…, got {actual[:12]}…: damaged or exchanged. "
            "Copy or make the checkpoint again"
        )
    try:
        return dict(safetensors.torch.load(data))
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: expected safetensors: {error}. {_MEND}") from error


def refuse_pickle(path: Path) -> None:
    """Refuse what looks like a pickle by its name or its first bytes (torch's zip included).

    Raises:
        CheckpointError: it does.
    """
    is_pickle = path.suffix.lower() in PICKLE_SUFFIXES
    if path.is_file() and not is_pickle:
        with path.open("rb") as file:
            start = file.read(4)
        is_pickle = start == b"PK\x03\x04" or (start[:1] == b"\x80" and start[1:2] in b"\2\3\4\5")
    if is_pickle and (path.exists() or path.is_symlink()):
        raise CheckpointError(
            f"{path}: expected safetensors, got a pickle, which can run any code and is never "
            f"read. {_MEND}"
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}. {_MEND}") from error
