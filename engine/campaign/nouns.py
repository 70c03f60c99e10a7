"""`[campaign.nouns]`: what a lab calls what it makes: a mat is spun, a blend mixed."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from engine.campaign.conditions import Frozen

Word = Annotated[str, StringConstraints(pattern=r"^[^\W\d_][\w' -]*$", max_length=30)]


class Nouns(Frozen):
    """The words of one lab.

    Attributes:
        sample: what one run gives.
        plural: several of it; an s more, where it is not given.
        make: what is done to get one.
        surroundings: what ambient parameters are readings of.

    >>> Nouns(sample="mat", make="spin").samples
    'mats'
    """

    sample: Word = "sample"
    plural: Word | None = None
    make: Word = "make"
    surroundings: Word = "surroundings"

    @property
    def samples(self) -> str:
        """Several of what a run gives."""
        return self.plural or f"{self.sample}s"


GENERAL = Nouns()
SPINNING = Nouns(sample="mat", make="spin", surroundings="room")
