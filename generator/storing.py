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

from generator.errors import CheckpointError

_LONGEST_JSON = 64 * 2**20


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


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Write safetensors; return what :func:`read_tensors` wants to know of the file.

    Raises:
        CheckpointError: the folder cannot be written.
    """
    whole = {name: one.detach().cpu().contiguous().clone() for name, one in tensors.items()}
    data = safetensors.torch.save(whole)
    write_whole(path, data)
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def read_tensors(path: Path, card: Mapping[str, Any], mend: str) -> dict[str, Tensor]:
    """Read a safetensors file that must be exactly what was written.

    Raises:
        CheckpointError: missing, of another length or hash, or not safetensors.
    """
    data = checked_bytes(path, card, mend)
    try:
        return dict(safetensors.torch.load(data))
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: expected safetensors: {error}. {mend}") from error


def checked_bytes(path: Path, card: Mapping[str, Any], mend: str) -> bytes:
    """Return a file's content, which must have the card's ``bytes`` and ``sha256``.

    Raises:
        CheckpointError: it is missing or another.
    """
    try:
        found = path.stat().st_size
        if found != card["bytes"]:
            raise CheckpointError(
                f"{path}: expected {card['bytes']:,} bytes, got {found:,}: cut short or exchanged. "
                f"{mend}"
            )
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}. {mend}") from error
    actual = hashlib.sha256(data).hexdigest()
    if actual != card["sha256"]:
        raise CheckpointError(
            f"{path}: expected SHA-256 {str(card['sha256'])[:12]}…, got {actual[:12]}…: damaged or "
            f"exchanged. {mend}"
        )
    return data


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


def read_json(path: Path, mend: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        CheckpointError: the file is missing, far too long, or not a JSON object.
    """
    try:
        if path.stat().st_size > _LONGEST_JSON:
            raise CheckpointError(f"{path}: far too long for JSON. {mend}")
        document = json.loads(path.read_bytes().decode())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}. {mend}") from error
    except ValueError as error:
        raise CheckpointError(f"{path}: expected JSON, got something else. {mend}") from error
    if not isinstance(document, dict):
        raise CheckpointError(
            f"{path}: expected a JSON object, got {type(document).__name__}. {mend}"
        )
    return document
