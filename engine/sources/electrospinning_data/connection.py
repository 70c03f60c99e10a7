"""The way to Electrospinning-Data.org: its client, over a transport that reads and never sends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from engine.errors import DataError, NotFoundError, SpinneretError, StateError, UsageError
from engine.sources.electrospinning_data.fields import HOMEPAGE, TITLE
from surrogate.progress import Progress

if TYPE_CHECKING:
    from electrospinning_data_client import Client

ADDRESS = "https://api.electrospinning-data.org/public/dataset"
TIMEOUT_S = 60
MAX_BYTES = 512 << 20
_CHUNK = 1 << 16


class _Answer:
    """A whole answer of the server, as far as the client reads it."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def json(self) -> Any:
        """Return the answer as plain JSON types."""
        return json.loads(self.content)


class _ReadOnlyTransport:
    """The client's own transport, piece by piece so that progress can be told; GET alone passes."""

    def __init__(self, progress: Progress) -> None:
        from electrospinning_data_client.transport import RequestsTransport

        self._inner = RequestsTransport(timeout=TIMEOUT_S)
        self._progress = progress

    def request(self, method: str, url: str, **kwargs: Any) -> _Answer:
        """Return the whole answer of a GET.

        Raises:
            TransportError, APIError: as the client's own.
            StateError: the answer broke off.
            DataError: an answer larger than any dataset.
        """
        from requests import RequestException

        if method != "GET":
            raise ValueError(f"{method} {url}: nothing is ever sent")
        response = self._inner.request(method, url, stream=True, **kwargs)
        length = response.headers.get("Content-Length", "")
        # A compressed answer's length is not that of its content.
        is_plain = "Content-Encoding" not in response.headers
        total = int(length) >> 10 if length.isdecimal() and is_plain else 0
        content = bytearray()
        try:
            for piece in response.iter_content(_CHUNK):
                content += piece
                if len(content) > MAX_BYTES:
                    raise DataError(f"{TITLE} answered with more than {MAX_BYTES >> 20} MB")
                self._progress(f"{TITLE} [kB]", len(content) >> 10, total)
        except RequestException as error:
            raise StateError(
                f"the answer of {TITLE} broke off ({_reason(_root(error))}); nothing was recorded. "
                "Try again"
            ) from error
        finally:
            response.close()
        return _Answer(bytes(content))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()


@contextmanager
def connected(progress: Progress, *, address: str | None = None) -> Iterator[Client]:
    """Open the client; what goes wrong within is told in our words.

    Raises:
        UsageError: the client is not installed.
        StateError: the server cannot be reached, or does not serve now.
        NotFoundError, DataError: what was asked for is not there; an answer that is none.
    """
    try:
        from electrospinning_data_client import APIError, Client, TransportError
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the client of {TITLE} is not installed: `pip install 'spinneret[data]'`"
        ) from error
    client = Client(address or ADDRESS, transport=_ReadOnlyTransport(progress))
    try:
        yield client
    except SpinneretError:
        raise
    except TransportError as error:
        raise StateError(
            f"{TITLE} cannot be reached at {client.base_url}: {_reason(_root(error))}. "
            "Nothing was recorded. Is this machine on the network? What another one downloads from "
            f"{HOMEPAGE} as a table is added with --table"
        ) from error
    except APIError as error:
        raise _refusal(error) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise DataError(
            f"{TITLE} answered with something else than its records ({_reason(error)}); nothing "
            "was recorded. Try again later, or with a newer electrospinning-data-client"
        ) from error
    finally:
        client.close()


def _refusal(error: Any) -> SpinneretError:
    status = error.status_code or 0
    if status == 404:
        return NotFoundError(f"{TITLE} has no such dataset or version: {_reason(error)}")
    if status == 429 or status >= 500:
        return StateError(f"{TITLE} does not serve now; try again later: {_reason(error)}")
    return DataError(f"{TITLE} refuses what was asked for: {_reason(error)}")


def _root(error: BaseException) -> BaseException:
    """Return what an error began with: `requests` wraps it several times."""
    while (earlier := error.__cause__ or error.__context__) is not None:
        error = earlier
    return error


def _reason(error: BaseException) -> str:
    """Return the root of an error in one short printable line."""
    text = " ".join(str(error).split())
    plain = "".join(letter for letter in text if letter.isprintable())
    return plain if len(plain) <= 200 else f"{plain[:200]} …"
