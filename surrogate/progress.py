"""How far a long piece of work is: the one callback that it tells it to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Progress(Protocol):
    """Called now and then by a long piece of work, always from the thread that does it."""

    def __call__(
        self,
        stage: str,
        completed: int = 0,
        total: int = 0,
        numbers: Mapping[str, float] | None = None,
    ) -> None:
        """Take note of how far the work is.

        Args:
            stage: what is being done, in a few words ("embedding micrographs").
            completed: how much of it is done.
            total: of how much; 0 where nobody knows.
            numbers: what can be said of it by now, such as a loss.
        """


def silent(
    stage: str, completed: int = 0, total: int = 0, numbers: Mapping[str, float] | None = None
) -> None:
    """Take no note: the :class:`Progress` of work that nobody watches."""
