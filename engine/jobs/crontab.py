"""Cron expressions as crontab means them, whatever the clocks do.

APScheduler counts weekdays from Monday where crontab counts from Sunday (0 and 7), wants day *and*
weekday where crontab is content with either, and fires at both of the two 02:30 of an autumn night.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# No zone has moved its clocks by more at once but the two that crossed the date line.
_LONGEST_CHANGE = timedelta(hours=3)


class CrontabTrigger(BaseTrigger):
    """Fires when a cron expression's minute begins, by the clock of a zone.

    Hours that are named (``30 2 * * *``) come once a day: at the first of two equal times in
    autumn, and in spring, where the time is left out, as much later as the clocks were moved.
    Every hour (``0 * * * *``) is every hour that passes.

    Args:
        expression: minute, hour, day, month, weekday.
        zone: whose clock.

    Raises:
        ValueError: it is no such expression.
    """

    def __init__(self, expression: str, zone: tzinfo) -> None:
        parts = expression.split()
        if len(parts) != 5:
            raise ValueError(f"expected five fields, got {len(parts)}")
        minute, hour, day, month, weekday = parts
        self._expression, self._zone = expression, zone
        self._is_by_the_clock = hour != "*"
        days = [(day, weekday_names(weekday))]
        # Both given: either is enough. https://man7.org/linux/man-pages/man5/crontab.5.html
        if not day.startswith("*") and not weekday.startswith("*"):
            days = [(day, "*"), ("*", weekday_names(weekday))]
        self._triggers = [
            CronTrigger(
                minute=minute, hour=hour, day=number, month=month, day_of_week=name,
                timezone=UTC if self._is_by_the_clock else zone,
            )
            for number, name in days
        ]  # fmt: skip

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, moment: datetime
    ) -> datetime | None:
        """Return the next moment after the previous one; the first from ``moment`` on without one.

        In UTC: Python compares two times of one zone by what the clock shows.
        """
        start = moment.astimezone(UTC)
        # A clock that was set back counts from where it stands now.
        if previous_fire_time is not None and previous_fire_time.astimezone(UTC) <= start:
            start = previous_fire_time.astimezone(UTC) + timedelta(microseconds=1)
        candidates = [self._next(trigger, start) for trigger in self._triggers]
        return min((item for item in candidates if item is not None), default=None)

    def _next(self, trigger: CronTrigger, start: datetime) -> datetime | None:
        if not self._is_by_the_clock:
            hour = trigger.get_next_fire_time(None, start.astimezone(self._zone))
            return None if hour is None else hour.astimezone(UTC)
        local = start.astimezone(self._zone)
        wall = local.replace(tzinfo=UTC)
        if (start - _LONGEST_CHANGE).astimezone(self._zone).utcoffset() != local.utcoffset():
            # What the clocks passed over lies before what they show.
            wall -= _LONGEST_CHANGE
        while True:
            time_shown = trigger.get_next_fire_time(None, wall)
            if time_shown is None:
                return None
            # Through UTC: a time that was left out becomes the one that the clock shows then.
            moment = time_shown.replace(tzinfo=self._zone, fold=0).astimezone(UTC)
            if moment >= start:
                return moment
            wall = time_shown + timedelta(microseconds=1)

    def __str__(self) -> str:
        """Return the expression."""
        return f"{self._expression} ({self._zone})"


def weekday_names(field: str) -> str:
    """Return crontab's field of weekdays by name, which means one thing everywhere.

    >>> weekday_names("0"), weekday_names("1-5"), weekday_names("*/2"), weekday_names("fri-7")
    ('sun', 'mon,tue,wed,thu,fri', 'sun,tue,thu,sat', 'fri,sat,sun')

    Raises:
        ValueError: a day that there is not.
    """
    if field == "*":
        return field
    days: list[int] = []
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        begin = 0 if first == "*" else _number(first)
        end = 6 if first == "*" or (step and not last) else _number(last if dash else first)
        # "sat-sun": Sunday is also the week's seventh day.
        end = end + 7 if last and end < begin and end == 0 else end
        if end < begin or (step and not step.isdecimal()) or step == "0":
            raise ValueError(f"expected days of the week such as 1-5 or mon-fri, got '{part}'")
        days += range(begin, end + 1, int(step or 1))
    return ",".join(dict.fromkeys(_NAMES[day % 7] for day in days))


def _number(word: str) -> int:
    if word in _NAMES:
        return _NAMES.index(word)
    if not word.isascii() or not word.isdecimal() or int(word) > 7:
        raise ValueError(
            f"expected a day of the week from 0 (Sunday) to 7 or sun-sat, got '{word}'"
        )
    return int(word)
