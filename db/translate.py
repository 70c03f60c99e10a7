"""What a driver raises, as :mod:`db.errors`: what happened, and what mends it."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, IntegrityError

from db.errors import (
    ConflictError,
    DatabaseBusyError,
    DatabaseError,
    NotADatabaseError,
    ReadOnlyDatabaseError,
)

# What a refused row means to the person who ran the command, by the constraint's name.
_MEANINGS = {
    "uq_campaigns_name": "a campaign of that name exists already",
    "uq_experiments_campaign_id_label": "the campaign has an experiment of that label",
    "uq_measurements_experiment_id_outcome_replicate_revision": (
        "that replicate of the outcome is recorded already"
    ),
    "uq_micrographs_experiment_id_sha256": "the experiment has that micrograph already",
    "uq_curves_experiment_id_array_sha256": "the experiment has that curve already",
    "uq_proposals_batch_id_run_order": "two proposals have one place in the order to run them",
    "ck_condition_values_number_or_text": "a condition is neither a number nor a text",
    "ck_condition_values_number_finite": "a condition is infinite or not a number",
    "ck_measurements_value_finite": "a measured value is infinite or not a number",
    "ck_measurements_value_or_retraction": "a measured value is missing or not a number",
    "ck_measurements_replicate_positive": "replicates count from 1",
    "ck_experiments_failure_iff_failed": "a failed run needs its kind of failure, no other has one",
    "ck_experiments_failure_bounded": "a kind of failure is empty or above 80 letters",
    "ck_predictions_interval_ordered": "an interval's lower end lies above its upper end",
    "ck_predictions_level_is_coverage": "an interval's coverage lies strictly between 0 and 1",
    "ck_proposals_p_success_is_probability": "a probability of success lies outside 0 … 1",
    "uq_sources_campaign_id_name": "a source of that name exists already",
    "uq_sources_name_of_all": "a source of that name exists already",
    "uq_sources_name": "a source of that name exists already",
    "ck_micrographs_crop_inside": "the crop box leaves the picture",
    "ck_micrographs_scale_has_source": "a pixel size needs to say where it was read from",
    "uq_users_name": "a user of that name exists already",
    "uq_answers_actor_key": "the idempotency key is taken",
    "ck_micrographs_size_positive": "a picture has no size",
}


@contextmanager
def translated(name: str, action: str, busy_timeout_s: float = 30.0) -> Iterator[None]:
    """Turn what the driver raises inside into :class:`DatabaseError` and its kinds.

    ``name`` is how messages call the database, ``action`` what was being done.
    """
    try:
        yield
    # Before DBAPIError, of which it is a kind.
    except IntegrityError as error:
        raise ConflictError(
            f"{action}: {_meaning(str(error.orig))}; nothing was written."
        ) from error
    except DBAPIError as error:
        raise _translate(error.orig, name, action, busy_timeout_s) from error
    # Raised bare by what does not go through SQLAlchemy: connecting, pragmas, the backup.
    except sqlite3.Error as error:
        raise _translate(error, name, action, busy_timeout_s) from error
    except Exception as error:
        # By its module's name: importing psycopg to compare types would cost SQLite's users its
        # start.
        if not type(error).__module__.startswith("psycopg"):
            raise
        if str(getattr(error, "sqlstate", "")).startswith("23"):  # a row that a bulk copy brought
            raise ConflictError(
                f"{action}: {_meaning(str(error))}; nothing was written."
            ) from error
        raise _translate(error, name, action, busy_timeout_s) from error


def _meaning(message: str) -> str:
    # SQLite says no more than "FOREIGN KEY constraint failed".
    if "foreign key" in message.lower():
        return "a row names another one that does not exist"
    return _MEANINGS.get(_constraint(message), message.splitlines()[0])


def _constraint(message: str) -> str:
    """Return the constraint's name; SQLite names columns instead where it has no name at hand."""
    kind = re.search(r"(UNIQUE|NOT NULL) constraint failed: (.+)", message)
    if kind:
        prefix = "uq" if kind[1] == "UNIQUE" else "nn"
        columns = kind[2].split(", ")
        table = columns[0].partition(".")[0]
        return "_".join([prefix, table, *(column.partition(".")[2] for column in columns)])
    # PostgreSQL names no constraint for NOT NULL; given SQLite's name, both have one entry above.
    null = re.search(r'null value in column "(\w+)" of relation "(\w+)"', message)
    if null:
        return f"nn_{null[2]}_{null[1]}"
    name = re.search(r"CHECK constraint failed: (\w+)|constraint \"(\w+)\"", message)
    return (name[1] or name[2]) if name else ""


def _translate(
    error: BaseException | None, name: str, action: str, busy_timeout_s: float
) -> DatabaseError:
    if error is not None and not isinstance(error, sqlite3.Error):
        from db.postgres import translate_postgres

        return translate_postgres(error, name, action, busy_timeout_s)
    return _translate_sqlite(error, name, action, busy_timeout_s)


def _translate_sqlite(
    error: BaseException | None, name: str, action: str, busy_timeout_s: float
) -> DatabaseError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseBusyError(
            f"{action}: {name} has been locked by another process for more than "
            f"{busy_timeout_s:g} s; nothing was written.",
            mend="Let that one finish, then run the command again.",
            place=name,
        )
    # CANTOPEN as well: what fails is often the -wal or -shm beside a file that is readable itself.
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
        return _not_permitted(Path(name), action, error)
    if code == sqlite3.SQLITE_NOTADB:
        return not_a_database(name)
    if code == sqlite3.SQLITE_CORRUPT:
        return NotADatabaseError(
            f"{name} is damaged ({error}).",
            mend="Look at it with `engine db check`, and put back the newest backup (`engine db "
            "backup` makes them).",
            place=name,
        )
    if code == sqlite3.SQLITE_FULL:
        return DatabaseError(
            f"{action}: the disk of {name} is full; nothing was written.", place=name
        )
    return DatabaseError(f"{action}: {name}: {error}", place=name)


def not_a_database(name: str, reason: str = "is not a database") -> NotADatabaseError:
    """Return the error for a file that is something else."""
    return NotADatabaseError(
        f"{name} {reason}.",
        mend="Name another file as url in [database] of config.toml, or move this one away and "
        "run `engine init`.",
        place=name,
    )


def _not_permitted(path: Path, action: str, error: BaseException | None) -> DatabaseError:
    if path.exists() and not os.access(path, os.R_OK):
        return unreadable(path)
    files = [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]
    obstacles = [str(file) for file in files if file.exists() and not os.access(file, os.W_OK)]
    if not os.access(path.parent, os.W_OK):
        obstacles.append(f"the folder {path.parent}")
    if not obstacles:
        return ReadOnlyDatabaseError(f"{action}: {path} cannot be opened: {error}.", place=path)
    return ReadOnlyDatabaseError(
        f"{action}: {' and '.join(obstacles)} cannot be written, and SQLite keeps its log beside "
        "the file. Nothing was written.",
        mend=f"Make it writable (`chmod u+w`), or copy {path.name} to a folder of your own (with "
        f"{path.name}-wal, if there is one) and set url in [database] of config.toml.",
        place=(*files, path.parent),
    )


def unreadable(path: Path) -> ReadOnlyDatabaseError:
    """Return the error for a file that this user may not even read."""
    return ReadOnlyDatabaseError(
        f"{path} cannot be read: its permissions, or its folder's, forbid it.",
        mend="Give yourself the right (`chmod u+rwX`), or ask its owner.",
        place=path,
    )
