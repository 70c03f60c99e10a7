"""``python -m engine.bulk.worker``: measures the pictures named on standard input, one a line.

A process of its own for each core, talked to by lines of JSON: nothing is pickled, a script that
calls it needs no ``if __name__ == "__main__"``, and a picture that kills it kills nothing else.
"""

from __future__ import annotations

import json
import os
import sys

from engine.bulk.picture import PictureTask, read_picture


def main() -> None:
    """Answer until standard input ends."""
    # Whatever a library prints goes to standard error, and answers stay one line each.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        for line in sys.stdin:
            reading = read_picture(PictureTask(**json.loads(line)))
            answers.write(json.dumps(reading.as_json()) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
