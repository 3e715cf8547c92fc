"""Working days and opening hours.

Golden dates and monthly counts are from the notices of the State Council for 2015 to 2020.
"""

from __future__ import annotations

import datetime

import holidays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.calendars import (
    HoursRule,
    Sessions,
    WorkingDays,
    known_range,
    open_sessions,
    shift_working_days,
    working_day_mask,
    working_days,
)
from sim.durations import parse_sessions
from sim.errors import CalendarError
from sim.timeline import DAY, HOUR, NEVER, StepFunction, read_only

fixed = settings(derandomize=True, max_examples=100, deadline=None)
date = datetime.date.fromisoformat

WORKING_DAYS_BY_MONTH = {
    2015: (21, 17, 22, 21, 20, 21, 23, 21, 21, 18, 21, 23),
    2016: (20, 18, 23, 20, 21, 21, 21, 23, 21, 18, 22, 22),
    2017: (19, 19, 23, 19, 21, 22, 21, 23, 22, 17, 22, 21),
    2018: (22, 17, 22, 20, 22, 20, 22, 23, 21, 18, 22, 21),
    2019: (22, 17, 21, 22, 21, 19, 23, 22, 21, 19, 21, 22),
    2020: (17, 20, 22, 22, 19, 21, 23, 21, 23, 17, 21, 23),
}
WORKING_DAYS_BY_YEAR = {2015: 249, 2016: 250, 2017: 249, 2018: 250, 2019: 250, 2020: 249}
MAKE_UP_WEEKENDS = {
    2015: "01-04 02-15 02-28 09-06 10-10",
    2016: "02-06 02-14 06-12 09-18 10-08 10-09",
    2017: "01-22 02-04 04-01 05-27 09-30",
    2018: "02-11 02-24 04-08 04-28 09-29 09-30 12-29",
    2019: "02-02 02-03 04-28 05-05 09-29 10-12",
    2020: "01-19 04-26 05-09 06-28 09-27 10-10",
}
GOLDEN_DATES = [
    # start, working days, due in China, due on plain weekdays
    ("2015-02-13", 5, "2015-02-26", "2015-02-20"),
    ("2015-09-30", 5, "2015-10-13", "2015-10-07"),
    ("2016-02-05", 1, "2016-02-06", "2016-02-08"),
    ("2016-02-05", 5, "2016-02-17", "2016-02-12"),
    ("2016-09-29", 5, "2016-10-11", "2016-10-06"),
    ("2016-09-30", 15, "2016-10-26", "2016-10-21"),
    ("2018-12-29", 1, "2019-01-02", None),  # a Saturday: a day off among plain weekdays
    ("2019-04-30", 3, "2019-05-07", "2019-05-03"),
    ("2020-01-22", 5, "2020-02-06", "2020-01-29"),
    ("2020-01-23", 1, "2020-02-03", "2020-01-24"),
    ("2020-04-30", 5, "2020-05-11", "2020-05-07"),
    ("2020-06-24", 1, "2020-06-28", "2020-06-25"),
    ("2020-09-30", 5, "2020-10-14", "2020-10-07"),
]

# -- Calendars -----------------------------------------------------------------------------------


def year_of(calendar, year):
    return working_day_mask(calendar, datetime.date(year, 1, 1), datetime.date(year, 12, 31))


@pytest.mark.parametrize("year", WORKING_DAYS_BY_MONTH)
def test_working_days_of_every_month_are_those_of_the_notices(year):
    days = np.arange(f"{year}", f"{year + 1}", dtype="datetime64[D]")
    month = days.astype("datetime64[M]").astype(int) % 12
    mask = year_of("china", year)
    assert tuple(np.bincount(month[mask])) == WORKING_DAYS_BY_MONTH[year]
    assert mask.sum() == WORKING_DAYS_BY_YEAR[year]


@pytest.mark.parametrize("year", MAKE_UP_WEEKENDS)
def test_make_up_weekends_are_worked(year):
    worked = year_of("china", year) & ~year_of("weekdays", year)
    new_year = datetime.date(year, 1, 1)
    found = [new_year + datetime.timedelta(int(day)) for day in np.flatnonzero(worked)]
    assert " ".join(f"{day:%m-%d}" for day in found) == MAKE_UP_WEEKENDS[year]


def test_every_day_from_2015_to_2020_is_as_the_holidays_package_says():
    first, last = date("2015-01-01"), date("2020-12-31")
    other = holidays.country_holidays("CN", years=range(2015, 2021))
    days = [first + datetime.timedelta(day) for day in range((last - first).days + 1)]
    expected = [other.is_working_day(day) for day in days]
    assert len(expected) == 2192
    assert working_day_mask("china", first, last).tolist() == expected


@pytest.mark.parametrize(("start", "days", "due", "naive"), GOLDEN_DATES)
def test_golden_dates(start, days, due, naive):
    assert shift_working_days("china", date(start), days) == date(due)
    assert shift_working_days("china", date(due), -days) == date(start)
    if naive:
        assert shift_working_days("weekdays", date(start), days) == date(naive)
    table = working_days("china", date("2015-01-01"), date("2020-12-31"))
    start_at = (date(start) - table.origin).days * DAY + 10 * HOUR
    due_at = table.add(start_at, days)
    assert table.date_of(due_at) == date(due)
    assert due_at % DAY == 10 * HOUR
    assert table.count(start_at, due_at) == days


def test_plain_weekdays_are_monday_to_friday():
    """2020 has 262 of them; 2020-02-01 is a Saturday."""
    assert year_of("weekdays", 2020).sum() == 262
    week = working_day_mask("weekdays", date("2020-02-01"), date("2020-02-08"))
    assert week.tolist() == [False, False, True, True, True, True, True, False]


def test_always_is_every_day():
    assert year_of("always", 2020).sum() == 366


def test_a_list_of_dates_is_exactly_the_working_days():
    listed = [date("2020-02-03"), date("2020-02-01"), date("2021-01-01"), date("2020-02-01")]
    mask = working_day_mask(listed, date("2020-02-01"), date("2020-02-04"))
    assert mask.tolist() == [True, False, True, False]
    assert known_range(listed) is None


def test_the_calendar_of_china_crosses_years_and_ends_with_the_notices():
    mask = working_day_mask("china", date("2018-12-28"), date("2019-01-02"))
    assert mask.tolist() == [True, True, False, False, False, True]
    first, last = known_range("china")
    assert first == date("2004-01-01")
    assert last >= date("2026-12-31")
    assert working_day_mask("china", first, last).sum() > 0
    assert known_range("weekdays") is None


@pytest.mark.parametrize(
    ("calendar", "first", "last", "message"),
    [
        (
            "china",
            "2003-12-31",
            "2004-01-05",
            "calendar 'china' does not know 2003-12-31: it covers 2004-01-01 to 20",
        ),
        ("china", "2020-01-01", "2200-01-05", "does not know 2200-01-05"),
        ("weekdays", "2020-01-02", "2020-01-01", r"end on 2020-01-01, before they begin \(2020-0"),
        ("chnia", "2020-01-01", "2020-01-02", "no calendar 'chnia'. Did you mean 'china'"),
        ("x", "2020-01-01", "2020-01-02", "no calendar 'x'. Calendars: china, weekdays, always, o"),
    ],
)
def test_days_that_a_calendar_does_not_know_are_refused(calendar, first, last, message):
    with pytest.raises(CalendarError, match=message):
        working_day_mask(calendar, date(first), date(last))


# -- Shifting by working days --------------------------------------------------------------------


def test_shifting_leaves_so_many_working_days_in_between():
    """2016-01-01 to 01-03 are off: 40 working days of warm-up end on 2015-12-31."""
    warm_up = shift_working_days("china", date("2016-01-01"), -40)
    mask = working_day_mask("china", warm_up, date("2015-12-31"))
    assert mask.sum() == 40
    assert mask[0]
    assert shift_working_days("china", date("2016-01-04"), -40) == warm_up


def test_a_day_off_counts_as_the_next_working_day():
    saturday = date("2020-02-08")
    found = [shift_working_days("weekdays", saturday, days) for days in (-1, 0, 1)]
    assert found == [date("2020-02-07"), date("2020-02-10"), date("2020-02-11")]


def test_shifting_along_a_list_of_dates():
    listed = [date("2020-02-05"), date("2020-02-01"), date("2020-02-09")]
    assert shift_working_days(listed, date("2020-02-02"), 1) == date("2020-02-09")
    assert shift_working_days(listed, date("2020-02-02"), -1) == date("2020-02-01")


@fixed
@given(
    st.dates(date("2004-06-01"), date("2025-12-31")),
    st.integers(-60, 60),
    st.sampled_from(["china", "weekdays", "always"]),
)
def test_shifting_agrees_with_walking_day_by_day(day, days, calendar):
    def works(day):
        return bool(working_day_mask(calendar, day, day)[0])

    one_day = datetime.timedelta(1 if days >= 0 else -1)
    walked, left = day, abs(days)
    while days >= 0 and not works(walked):
        walked += one_day
    while left:
        walked += one_day
        left -= works(walked)
    assert shift_working_days(calendar, day, days) == walked


@pytest.mark.parametrize(
    ("calendar", "day", "days", "message"),
    [
        ("china", "2004-01-05", -5, "does not reach 5 working days before 2004-01-05: it covers 2"),
        ("china", "2020-01-06", 10**6, "does not reach 1000000 working days after 2020-01-06"),
        ("china", "2003-01-05", 5, "calendar 'china' does not know 2003-01-05"),
        ("china", "2003-01-05", -5, "calendar 'china' does not know 2003-01-05"),
        ("china", "2200-01-05", 5, "calendar 'china' does not know 2200-01-05"),
        ("weekdays", "9999-12-01", 60, "does not reach 60 working days after 9999-12-01"),
        ([date("2020-01-01")], "2020-01-01", 1, "list of working days does not reach 1 working da"),
        ([date("2020-01-01")], "2020-01-01", -1, "not reach 1 working days before 2020-01-01"),
    ],
)
def test_shifting_beyond_what_is_known_is_refused(calendar, day, days, message):
    with pytest.raises(CalendarError, match=message):
        shift_working_days(calendar, date(day), days)


# -- Working days as a table ---------------------------------------------------------------------


def test_the_table_numbers_days_from_its_origin():
    """Thursday 2020-01-23 is the last day before the Spring Festival, which was made longer."""
    table = working_days("china", date("2020-01-22"), date("2020-02-04"))
    assert table.origin == date("2020-01-22")
    assert table.mask.tolist() == [True] * 2 + [False] * 10 + [True] * 2
    assert table.dates.tolist() == [0, 1, 12, 13]
    assert table.day_index_before.tolist() == [0, 1] + [2] * 11 + [3, 4]
    assert table.date_of(12 * DAY + 5) == date("2020-02-03")


def test_the_table_adds_and_counts():
    table = working_days("china", date("2020-01-22"), date("2020-02-04"))
    assert table.add(DAY + 9 * HOUR, 1) == 12 * DAY + 9 * HOUR
    assert table.add(DAY + 9 * HOUR, 3) == NEVER
    counted = table.count([0, 0, DAY, 5 * DAY], [DAY - 1, 13 * DAY, 5 * DAY, 13 * DAY])
    assert counted.tolist() == [0, 3, 0, 1]


@pytest.mark.parametrize(("from_at", "to_at", "day"), [(0, 2 * DAY, 2), ([-1], [0], -1)])
def test_counting_outside_the_table_is_refused(from_at, to_at, day):
    table = WorkingDays(date("2020-01-22"), np.array([True, True]))
    with pytest.raises(CalendarError, match=f"day {day} is not among the 2 days from 2020-01-22"):
        table.count(from_at, to_at)


def test_the_table_cannot_be_changed_from_outside():
    mask = np.array([True, True])
    table = WorkingDays(date("2020-01-22"), mask)
    mask[0] = False
    assert table.mask[0]
    with pytest.raises(ValueError, match="read-only"):
        table.mask[0] = False


# -- Opening hours -------------------------------------------------------------------------------


def hours(*texts, weekdays=None, first=None, last=None):
    return HoursRule(
        parse_sessions(texts),
        frozenset(weekdays) if weekdays is not None else None,
        date(first) if first else None,
        date(last) if last else None,
    )


def opening_of(rules, calendar, first, last):
    """Opening hours as people would write them, one line a session."""
    days = working_days(calendar, date(first), date(last))
    sessions = open_sessions(rules, days)
    midnight = datetime.datetime.combine(days.origin, datetime.time())

    def text(at, form):
        return f"{midnight + datetime.timedelta(seconds=at):{form}}"

    pairs = zip(sessions.starts.tolist(), sessions.ends.tolist(), strict=True)
    return [f"{text(start, '%m-%d %H:%M')} to {text(end, '%m-%d %H:%M')}" for start, end in pairs]


def test_a_hall_is_closed_on_days_off():
    """Sunday 2020-06-28 makes up for Friday 2020-06-26."""
    rules = [hours("08:30-12:00", "14:30-18:00")]
    assert opening_of(rules, "china", "2020-06-24", "2020-06-28") == [
        "06-24 08:30 to 06-24 12:00",
        "06-24 14:30 to 06-24 18:00",
        "06-28 08:30 to 06-28 12:00",
        "06-28 14:30 to 06-28 18:00",
    ]


def test_the_last_rule_that_matches_gives_the_hours():
    """Short Wednesdays, summer hours from the 7th to the 8th, closed on the 9th."""
    rules = [
        hours("09:00-17:00"),
        hours("09:00-12:00", weekdays=[2]),
        hours("08:00-16:00", first="2020-07-07", last="2020-07-08"),
        hours(first="2020-07-09", last="2020-07-09"),
    ]
    assert opening_of(rules, "weekdays", "2020-06-30", "2020-07-10") == [
        "06-30 09:00 to 06-30 17:00",
        "07-01 09:00 to 07-01 12:00",
        "07-02 09:00 to 07-02 17:00",
        "07-03 09:00 to 07-03 17:00",
        "07-06 09:00 to 07-06 17:00",
        "07-07 08:00 to 07-07 16:00",
        "07-08 08:00 to 07-08 16:00",
        "07-10 09:00 to 07-10 17:00",
    ]


def test_weekday_and_dates_of_a_rule_must_both_match():
    rules = [hours("09:00-12:00", weekdays=[5, 6], first="2020-02-02")]
    assert opening_of(rules, "always", "2020-02-01", "2020-02-09") == [
        "02-02 09:00 to 02-02 12:00",
        "02-08 09:00 to 02-08 12:00",
        "02-09 09:00 to 02-09 12:00",
    ]


def test_open_ended_rules_hold_to_the_end_and_from_the_beginning():
    rules = [hours("09:00-12:00", last="2020-02-01"), hours("10:00-12:00", first="2020-02-03")]
    assert opening_of(rules, "always", "2020-02-01", "2020-02-03") == [
        "02-01 09:00 to 02-01 12:00",
        "02-03 10:00 to 02-03 12:00",
    ]


def test_a_night_is_one_session_and_a_week_around_the_clock_too():
    night = [hours("00:00-06:00", "22:00-24:00")]
    assert opening_of(night, "always", "2020-02-01", "2020-02-02") == [
        "02-01 00:00 to 02-01 06:00",
        "02-01 22:00 to 02-02 06:00",
        "02-02 22:00 to 02-03 00:00",
    ]
    around_the_clock = [hours("00:00-24:00")]
    assert opening_of(around_the_clock, "always", "2020-02-01", "2020-02-07") == [
        "02-01 00:00 to 02-08 00:00"
    ]


def test_a_hall_without_rules_never_opens():
    sessions = open_sessions([], working_days("always", date("2020-02-01"), date("2020-02-02")))
    assert sessions.starts.tolist() == sessions.ends.tolist() == sessions.open_before.tolist() == []
    assert sessions.working_time_between(0, DAY) == 0
    assert not sessions.is_open(5)


def test_sessions_answer_for_many_instants_at_once():
    sessions = Sessions(read_only([100, 200, 300, 400]), read_only([150, 300, 350, 400]))
    assert sessions.starts.tolist() == [100, 200]
    assert sessions.ends.tolist() == [150, 350]
    assert sessions.open_before.tolist() == [0, 50]
    assert sessions.is_open([99, 100, 149, 150, 300, 350, 400]).tolist() == [
        *(False, True, True, False, True, False, False)
    ]
    assert sessions.working_time_between([0, 120, 149], [120, 210, 999]).tolist() == [20, 40, 151]
    assert sessions.step_function() == StepFunction.from_sessions([100, 200], [150, 350])
    with pytest.raises(ValueError, match="read-only"):
        sessions.starts[0] = 0


@pytest.mark.parametrize(
    ("starts", "ends", "message"),
    [([5], [4], "a session ends before it starts"), ([5, 7], [8, 9], "sessions overlap")],
)
def test_impossible_sessions_are_refused(starts, ends, message):
    with pytest.raises(ValueError, match=message):
        Sessions(read_only(starts), read_only(ends))


@settings(fixed, max_examples=20)
@given(
    st.lists(st.integers(0, 96).map(lambda q: q * 15), unique=True, max_size=6),
    st.lists(st.booleans(), min_size=1, max_size=4),
)
def test_opening_hours_agree_with_asking_minute_by_minute(minutes, mask):
    edges = sorted(minutes)
    pairs = list(zip(edges[0::2], edges[1::2], strict=False))
    rule = HoursRule(tuple((60 * opens, 60 * closes) for opens, closes in pairs))
    sessions = open_sessions([rule], WorkingDays(date("2020-01-01"), np.array(mask)))
    is_open = [
        works and any(opens <= minute < closes for opens, closes in pairs)
        for works in mask
        for minute in range(24 * 60)
    ]
    instants = np.arange(len(is_open)) * 60
    assert sessions.is_open(instants).tolist() == is_open
    passed = np.cumsum([0, *is_open]) * 60
    assert sessions.working_time_between(0, np.append(instants, len(is_open) * 60)).tolist() == (
        passed.tolist()
    )
    assert np.all(sessions.starts < sessions.ends)
    assert np.all(sessions.ends[:-1] < sessions.starts[1:])
