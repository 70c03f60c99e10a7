"""Samples of a curve as bytes: compressed, expanded, and held against their hash.

The bytes are little-endian doubles, channel after channel. Bytes of one significance stand together
before they are compressed, which halves what smooth curves take. Without numpy, for ``doctor``.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence

from db.records import CurveArrayRecord
from engine.errors import DataError

WIDTH = 8
"""Bytes in a double."""


def digest(quantities: Sequence[str], content: bytes) -> str:
    """Return the hash of a curve: which numbers of which quantity, whatever columns are called."""
    hashed = hashlib.sha256(json.dumps(list(quantities)).encode())
    hashed.update(content)
    return hashed.hexdigest()


def compress(content: bytes) -> bytes:
    """Return the bytes of doubles in less room."""
    return zlib.compress(b"".join(content[i::WIDTH] for i in range(WIDTH)), level=6)


def expand(record: CurveArrayRecord) -> bytes:
    """Return the bytes of doubles, (channels, n), that a row holds.

    Raises:
        DataError: the row is damaged, or not what was recorded.
    """
    n_values = len(record.channels) * record.n_points
    try:
        # Bounded: a damaged or forged row cannot expand to more than it says.
        turned = zlib.decompressobj().decompress(record.data, n_values * WIDTH + 1)
    except zlib.error as error:
        raise DataError(f"the samples of a curve are damaged: {error}") from error
    content = bytearray(n_values * WIDTH)
    if len(turned) == len(content):
        for i in range(WIDTH):
            content[i::WIDTH] = turned[i * n_values : (i + 1) * n_values]
    quantities = [channel["quantity"] for channel in record.channels]
    if len(turned) != len(content) or digest(quantities, bytes(content)) != record.sha256:
        raise DataError("the samples of a curve are not what was recorded; restore a backup")
    return bytes(content)
