"""Cron expressions: crontab's days, and one run a day whatever the clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DataError
from engine.jobs.crontab import CrontabTrigger, weekday_names
from engine.jobs.store import next_after

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "UTC")
# The nights in which clocks move, as (first day, days looked at).
CHANGES = {
    "Europe/Berlin": (datetime(2026, 3, 29), datetime(2026, 10, 25)),
    "America/New_York": (datetime(2026, 3, 8), datetime(2026, 11, 1)),
    "Australia/Lord_Howe": (datetime(2026, 10, 4), datetime(2026, 4, 5)),
}


def fires(expression: str, zone: str, start: datetime, days: int) -> list[datetime]:
    """Return the moments of some days, as a scheduler asks for them one by one."""
    here = ZoneInfo(zone)
    trigger = CrontabTrigger(expression, here)
    now = start.replace(tzinfo=here).astimezone(UTC)
    end = (start + timedelta(days=days)).replace(tzinfo=here).astimezone(UTC)
    moments: list[datetime] = []
    previous = None
    while True:
        moment = trigger.get_next_fire_time(previous, now)
        assert moment is not None
        assert previous is None or moment > previous, "it must go on"
        if moment >= end:
            return [moment.astimezone(here) for moment in moments]
        moments.append(moment)
        # What the store asks after a restart comes to the same.
        assert trigger.get_next_fire_time(None, moment) == moment
        previous = now = moment


@pytest.mark.parametrize(("zone", "nights"), CHANGES.items())
@pytest.mark.parametrize("time", ["30 2", "0 2", "15 1", "45 1", "59 23", "0 3"])
def test_a_named_time_comes_once_a_day(
    zone: str, nights: tuple[datetime, datetime], time: str
) -> None:
    for night in nights:
        start = night - timedelta(days=2)
        moments = fires(f"{time} * * *", zone, start, days=5)
        days = [moment.date() for moment in moments]
        assert days == [(start + timedelta(days=n)).date() for n in range(5)]
        minute, hour = map(int, time.split())
        shown = [(moment.hour, moment.minute) for moment in moments]
        # All but the night of the change, where the time may not exist.
        assert [item for item in shown if item == (hour, minute)] == shown or (
            len([item for item in shown if item != (hour, minute)]) == 1
        )


def test_half_past_two_of_berlin() -> None:
    spring = fires("30 2 * * *", "Europe/Berlin", datetime(2026, 3, 28), days=3)
    assert [f"{moment:%d %H:%M %Z}" for moment in spring] == [
        "28 02:30 CET", "29 03:30 CEST", "30 02:30 CEST",
    ]  # fmt: skip
    autumn = fires("30 2 * * *", "Europe/Berlin", datetime(2026, 10, 24), days=3)
    assert [f"{moment:%d %H:%M %Z}" for moment in autumn] == [
        "24 02:30 CEST", "25 02:30 CEST", "26 02:30 CET",
    ]  # fmt: skip


def test_asked_in_the_middle_of_the_change() -> None:
    def after(moment: str) -> str:
        definition = {"trigger": {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}}
        found = next_after(definition, datetime.fromisoformat(moment))
        assert found is not None
        return found.astimezone(ZoneInfo("Europe/Berlin")).isoformat()

    # Between the two 02:30 of the autumn night: that day's has been.
    assert after("2026-10-25T00:45:00+00:00") == "2026-10-26T02:30:00+01:00"
    assert after("2026-10-25T01:10:00+00:00") == "2026-10-26T02:30:00+01:00"
    # After the clocks were moved in spring, before what was left out is made up for.
    assert after("2026-03-29T01:10:00+00:00") == "2026-03-29T03:30:00+02:00"
    assert after("2026-03-29T01:31:00+00:00") == "2026-03-30T02:30:00+02:00"


# Not Lord Howe, whose clocks move by half an hour.
@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_every_hour_is_every_hour_that_passes(zone: str) -> None:
    for start in CHANGES.get(zone, (datetime(2026, 6, 1),)):
        moments = fires("0 * * * *", zone, start, days=1)
        passed = [moment.astimezone(UTC) for moment in moments]
        gaps = {later - earlier for earlier, later in pairwise(passed)}
        assert gaps == {timedelta(hours=1)}


@given(
    zone=st.sampled_from(ZONES),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    day=st.integers(0, 364),
)
def test_one_run_for_each_day_of_the_calendar(zone: str, minute: int, hour: int, day: int) -> None:
    start = datetime(2026, 1, 1) + timedelta(days=day)
    moments = fires(f"{minute} {hour} * * *", zone, start, days=3)
    assert len({moment.date() for moment in moments}) == len(moments)
    assert len(moments) == 3


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("0", "Sun"), ("7", "Sun"), ("1", "Mon"), ("1-5", "Mon Tue Wed Thu Fri"), ("sun", "Sun"),
        ("6,0", "Sat Sun"), ("5-7", "Fri Sat Sun"), ("sat-sun", "Sat Sun"),
        ("*/2", "Tue Thu Sat Sun"), ("MON-WED", "Mon Tue Wed"), ("1-5/2", "Mon Wed Fri"),
        ("*", "Mon Tue Wed Thu Fri Sat Sun"),
    ],
)  # fmt: skip
def test_weekdays_as_crontab_counts_them(field: str, days: str) -> None:
    monday = datetime(2026, 6, 1)
    moments = fires(f"0 4 * * {field}", "Europe/Berlin", monday, days=7)
    assert " ".join(f"{moment:%a}" for moment in moments) == days


def test_day_or_weekday_where_both_are_named() -> None:
    moments = fires("0 4 13 * 5", "UTC", datetime(2026, 6, 1), days=30)
    assert [moment.day for moment in moments] == [5, 12, 13, 19, 26]
    # A star that steps is a star: both then have to hold.
    moments = fires("0 4 */2 * 5", "UTC", datetime(2026, 6, 1), days=30)
    assert [moment.day for moment in moments] == [5, 19]


@pytest.mark.parametrize("field", ["8", "xyz", "5-1", "1/0", "1/x", "-", "1-", ""])
def test_days_that_there_are_not(field: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        weekday_names(field)
    if field:
        with pytest.raises(DataError, match="expected a cron expression"):
            next_after({"trigger": {"cron": f"0 4 * * {field}"}}, datetime(2026, 1, 1, tzinfo=UTC))
