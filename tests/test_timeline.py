"""The clock: durations and hours as text, step functions, and the arithmetic of open time.

The array functions are compared with oracles that go through time second by second (on small
timelines) or day by day, and share no code with them.
"""

from __future__ import annotations

import datetime
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.durations import Clock, Duration, parse_duration, parse_sessions, parse_time_of_day
from sim.timeline import (
    DAY,
    HOUR,
    MINUTE,
    NEVER,
    StepFunction,
    add_open_time,
    add_working_days,
    counted_working_days,
    format_instant,
    is_open_at,
    next_session,
    open_time_until,
    pass_gate,
    read_only,
)

fixed = settings(derandomize=True, max_examples=100, deadline=None)

# -- Durations -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "amount", "unit", "clock"),
    [
        ("45 s", 45, "s", Clock.CLOCK_TIME),
        ("45 sec", 45, "s", Clock.CLOCK_TIME),
        ("1 second", 1, "s", Clock.CLOCK_TIME),
        ("2 seconds", 2, "s", Clock.CLOCK_TIME),
        ("12 min", 12, "min", Clock.CLOCK_TIME),
        ("12min", 12, "min", Clock.CLOCK_TIME),
        ("1 minute", 1, "min", Clock.CLOCK_TIME),
        ("  12   minutes ", 12, "min", Clock.CLOCK_TIME),
        ("0.5 h", 0.5, "h", Clock.CLOCK_TIME),
        (".5 hour", 0.5, "h", Clock.CLOCK_TIME),
        ("2 hours", 2, "h", Clock.CLOCK_TIME),
        ("1e3 s", 1000, "s", Clock.CLOCK_TIME),
        ("1 calendar day", 1, "calendar days", Clock.CLOCK_TIME),
        ("20 calendar days", 20, "calendar days", Clock.CLOCK_TIME),
        ("90 working min", 90, "working min", Clock.WORKING_TIME),
        ("1 working minute", 1, "working min", Clock.WORKING_TIME),
        ("90 working minutes", 90, "working min", Clock.WORKING_TIME),
        ("4 working h", 4, "working h", Clock.WORKING_TIME),
        ("1 working hour", 1, "working h", Clock.WORKING_TIME),
        ("4 working hours", 4, "working h", Clock.WORKING_TIME),
        ("1 working day", 1, "working days", Clock.WORKING_DAYS),
        ("22.9 working days", 22.9, "working days", Clock.WORKING_DAYS),
        ("same day", 0, "working days", Clock.WORKING_DAYS),
        ("0 min", 0, "min", Clock.CLOCK_TIME),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text, amount, unit, clock):
    duration = parse_duration(text)
    assert duration == Duration(amount, unit)
    assert duration.clock is clock


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("12", r"'12' is no duration: durations need a unit, e\.g\. '12 min'"),
        (12, r"12 is no duration: durations need a unit, e\.g\. '12 min'"),
        (None, "None is no duration"),
        ("12 m", "'12 m' is no duration: say 'min'"),
        ("3 d", "say 'calendar days' or 'working days'"),
        ("3 days", "say 'calendar days' or 'working days'"),
        ("1 day", "say 'calendar days' or 'working days'"),
        ("2 weeks", "weeks, months and years are no units here"),
        ("1 month", "weeks, months and years are no units here"),
        ("1 year", "weeks, months and years are no units here"),
        ("5 M", "no unit 'M'. Units: s, min, h, calendar days, working min, working h, working d"),
        ("1 h 30 min", "no unit 'h 30 min'"),
        ("-5 min", "a duration cannot be negative"),
        ("-inf h", "a duration cannot be negative"),
        ("nan min", "a duration must be a finite number"),
        ("NaN min", "a duration must be a finite number"),
        ("inf h", "a duration must be a finite number"),
        ("1e400 s", "a duration must be a finite number"),
        ("1e6 h", "a duration cannot be longer than 100 years"),
        ("40000 working days", "a duration cannot be longer than 100 years"),
        ("1,000 s", "without thousands separators"),
        ("1_000 s", "without thousands separators"),
        ("1'000 s", "without thousands separators"),
        ("1.000.000 s", "without thousands separators"),
        ("", "write a number and a unit"),
        ("soon", "write a number and a unit"),
        ("１２ min", "write a number and a unit"),
    ],
)
def test_a_duration_that_could_be_misread_is_refused_with_advice(text, message):
    with pytest.raises(ValueError, match=message):
        parse_duration(text)


def test_seconds_of_a_duration_exist_on_two_of_the_three_clocks():
    assert parse_duration("1.5 min").seconds == 90
    assert parse_duration("2 calendar days").seconds == 2 * DAY
    assert parse_duration("2 working h").seconds == 2 * HOUR
    with pytest.raises(ValueError, match="3 working days has no fixed number of seconds"):
        _ = parse_duration("3 working days").seconds


@pytest.mark.parametrize(
    "text",
    ["12 min", "3 working days", "1 working day", "1 calendar day", "0.5 h", "1 s", "same day"],
)
def test_a_duration_prints_as_the_text_it_was_read_from(text):
    assert str(parse_duration(text)) == text


@fixed
@given(
    st.floats(0, 30_000),
    st.sampled_from(["s", "min", "h", "calendar days", "working min", "working h", "working days"]),
)
def test_every_duration_survives_printing_and_reading(amount, unit):
    assert parse_duration(str(Duration(amount, unit))) == Duration(amount, unit)


# -- Times of day and opening hours --------------------------------------------------------------


def test_a_time_of_day_is_seconds_since_midnight():
    texts = ["00:00", "8:30", "08:30", "08:30:15", "23:59:59", "24:00"]
    assert [parse_time_of_day(text) for text in texts] == [0, 30600, 30600, 30615, 86399, 86400]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (510, "510 is no time of day: write it in quotation marks"),
        ("08.30", "'08.30' is no time of day: write hours and minutes, e.g. '08:30'"),
        ("8", "write hours and minutes"),
        ("08:5", "write hours and minutes"),
        ("-8:30", "write hours and minutes"),
        ("08:60", "the day goes from 00:00 to 24:00"),
        ("08:30:60", "the day goes from 00:00 to 24:00"),
        ("24:01", "the day goes from 00:00 to 24:00"),
        ("25:00", "the day goes from 00:00 to 24:00"),
    ],
)
def test_what_is_no_time_of_day_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_time_of_day(text)


def test_opening_hours_of_a_day_are_sorted_and_may_touch_or_be_none():
    assert parse_sessions(["14:30-18:00", "08:30-12:00"]) == ((30600, 43200), (52200, 64800))
    assert parse_sessions(["12:00 - 24:00", "00:00-12:00"]) == ((0, 43200), (43200, 86400))
    assert parse_sessions([]) == ()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["13:00-12:30"], r"^closes at 12:30, before it opens \(13:00\)$"),
        (["09:00-09:00"], "^closes at 09:00, the moment it opens$"),
        (
            ["22:00-06:00"],
            r"closes at 06:00, before it opens \(22:00\); hours end at 24:00, "
            "so write '22:00-24:00' and '00:00-06:00'$",
        ),
        (["22:00:30-00:00"], "so write '22:00:30-24:00'$"),
        (["08:00-12:00", "11:00-14:00"], "08:00-12:00 and 11:00-14:00 overlap"),
        (["08:00-12:00", "08:00-12:00"], "08:00-12:00 and 08:00-12:00 overlap"),
        (["08:00"], "'08:00' are no opening hours: write e.g. '08:30-12:00'"),
        (["08:00-10:00-12:00"], "are no opening hours"),
        ([830], "830 are no opening hours"),
        (["08:00-noon"], "'noon' is no time of day"),
        ("08:30-12:00", "opening hours are a list"),
    ],
)
def test_impossible_opening_hours_are_refused(texts, message):
    with pytest.raises(ValueError, match=message):
        parse_sessions(texts)


def test_instants_are_printed_as_date_and_time_of_day():
    origin = datetime.date(2015, 1, 5)
    assert format_instant(8 * HOUR + 30 * MINUTE, origin) == "2015-01-05 08:30:00"
    assert format_instant(DAY, origin) == "2015-01-06 00:00:00"
    assert format_instant(-1, origin) == "2015-01-04 23:59:59"
    assert format_instant(NEVER, origin) == "never"


# -- Step functions ------------------------------------------------------------------------------


def step(times, values):
    return StepFunction(read_only(times), read_only(values))


def test_a_step_function_jumps_at_its_times_and_holds_until_the_next():
    staffing = step([10, 20, 30], [2, 1, 0])
    assert staffing([9, 10, 19, 20, 29, 30, 99]).tolist() == [0, 2, 2, 1, 1, 0, 0]
    assert staffing.integral([0, 10, 15, 20, 30, 99]).tolist() == [0, 0, 10, 20, 30, 30]
    assert staffing(10) == 2
    assert staffing.integral(15) == 10


def test_the_inverse_of_the_integral_is_the_first_instant_that_reaches_it():
    staffing = step([10, 20, 25, 30], [2, 0, 1, 0])
    found = staffing.inverse_integral([0, 1, 2, 3, 20, 21, 25, 26])
    assert found.tolist() == [10, 11, 11, 12, 20, 26, 30, NEVER]


def test_an_empty_step_function_is_0_everywhere():
    nothing = step([], [])
    assert nothing([-5, 0, 5]).tolist() == [0, 0, 0]
    assert nothing.integral([-5, 0, 5]).tolist() == [0, 0, 0]
    assert nothing.inverse_integral([0, 1]).tolist() == [NEVER, NEVER]
    assert nothing == StepFunction.from_sessions([], [])


def test_the_last_value_holds_for_ever():
    assert step([10], [3]).integral(1010) == 3000
    assert step([10], [3]).inverse_integral([2999, 3000, 3001]).tolist() == [1010, 1010, 1011]


def test_sessions_that_touch_become_one_and_empty_ones_go():
    merged = StepFunction.from_sessions([20, 10, 50], [30, 20, 50])
    assert (merged.times.tolist(), merged.values.tolist()) == ([10, 30], [1, 0])


def test_step_functions_add_and_multiply_at_every_instant():
    day_shift, late_shift = step([0, 20], [2, 0]), step([10, 30], [1, 0])
    assert day_shift + late_shift == step([0, 10, 20, 30], [2, 3, 1, 0])
    assert day_shift * 3 == 3 * day_shift == step([0, 20], [6, 0])
    assert day_shift * 0 == step([], [])


def test_equal_step_functions_are_equal_however_they_were_written():
    short, long = step([10, 30], [1, 0]), step([5, 10, 20, 30], [0, 1, 1, 0])
    assert short == long
    assert hash(short) == hash(long)
    assert short != step([10, 31], [1, 0])
    assert short != "a step function"
    assert repr(short) == "StepFunction(times=array([10, 30]), values=array([1, 0]))"


def test_a_step_function_cannot_be_changed_from_outside():
    times = np.array([10, 30])
    function = StepFunction(times, np.array([1, 0]))
    times[0] = 0
    assert function.times[0] == 10
    with pytest.raises(ValueError, match="read-only"):
        function.values[0] = 5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: step([10, 10], [1, 0]), "times of a step function must increase"),
        (lambda: step([10, 20], [-1, 0]), "values of a step function cannot be negative"),
        (lambda: step([10], [1]) * -1, "values of a step function cannot be negative"),
        (lambda: step([10, 20], [1]), r"\(2,\) times do not fit \(1,\) values"),
        (lambda: step([10.5], [1]), "whole numbers are needed here, not float64"),
        (lambda: step([10], [1]).inverse_integral(-1), "the amount cannot be negative"),
        (lambda: StepFunction.from_sessions([10], [9]), "a session ends before it starts"),
        (lambda: StepFunction.from_sessions([10, 15], [20, 30]), "sessions overlap"),
    ],
)
def test_an_impossible_step_function_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


steps = st.dictionaries(st.integers(0, 30), st.integers(0, 3), max_size=6).map(
    lambda jumps: sorted(jumps.items())
)


def value_at(jumps, at):
    """Oracle: the value of the last jump so far."""
    value = 0
    for time, height in jumps:
        if time <= at:
            value = height
    return value


@fixed
@given(steps, steps)
def test_step_functions_agree_with_adding_up_second_by_second(jumps, other):
    function = step([time for time, _ in jumps], [value for _, value in jumps])
    second = step([time for time, _ in other], [value for _, value in other])
    instants = range(-3, 40)
    assert function(instants).tolist() == [value_at(jumps, at) for at in instants]
    assert (function + second)(instants).tolist() == [
        value_at(jumps, at) + value_at(other, at) for at in instants
    ]
    area, areas = 0, []
    for at in instants:
        areas.append(area)
        area += value_at(jumps, at)
    assert function.integral(instants).tolist() == areas
    for amount in range(1, areas[-1] + 1):
        first = next(at for at, area in zip(instants, areas, strict=True) if area >= amount)
        assert function.inverse_integral(amount) == first


# -- Open time -----------------------------------------------------------------------------------


def table(sessions):
    """Starts, ends and open time before each start, added up by hand."""
    before, total = [], 0
    for start, end in sessions:
        before.append(total)
        total += end - start
    starts, ends = [start for start, _ in sessions], [end for _, end in sessions]
    return read_only(starts), read_only(ends), read_only(before)


TWO_SESSIONS = table([(100, 200), (300, 350)])


def test_a_session_is_open_at_its_start_and_closed_at_its_end():
    starts, ends, _ = TWO_SESSIONS
    assert [at for at in (99, 100, 199, 200, 299, 300, 350) if is_open_at(starts, ends, at)] == [
        *(100, 199, 300)
    ]


def test_open_time_stands_still_while_closed():
    passed = [open_time_until(*TWO_SESSIONS, at) for at in (0, 100, 150, 200, 300, 310, 999)]
    assert passed == [0, 0, 50, 100, 100, 110, 150]


@pytest.mark.parametrize(
    ("at", "amount", "done"),
    [
        (150, 0, 150),
        (250, 0, 250),
        (150, 50, 200),  # finished exactly at closing time, not at the next opening
        (150, 51, 301),
        (0, 100, 200),
        (200, 1, 301),
        (250, 50, 350),
        (250, 51, NEVER),
        (350, 0, 350),
        (350, 1, NEVER),
        (NEVER, 1, NEVER),
        (NEVER, 0, NEVER),
    ],
)
def test_work_goes_on_only_while_open(at, amount, done):
    assert add_open_time(*TWO_SESSIONS, at, amount) == done


def test_the_next_session_starts_strictly_later():
    starts, _, _ = TWO_SESSIONS
    assert [next_session(starts, at) for at in (99, 100, 299, 300)] == [0, 1, 1, 2]


def test_nothing_is_ever_open_without_sessions():
    starts, ends, before = table([])
    assert not is_open_at(starts, ends, 5)
    assert open_time_until(starts, ends, before, 5) == 0
    assert add_open_time(starts, ends, before, 5, 0) == 5
    assert add_open_time(starts, ends, before, 5, 1) == NEVER
    assert next_session(starts, 5) == 0


session_lists = st.lists(st.integers(0, 60), unique=True, max_size=10).map(
    lambda instants: list(zip(sorted(instants)[0::2], sorted(instants)[1::2], strict=False))
)


def first_difference(tables, sessions):
    """Oracle: goes through time second by second; the first answer that differs, or None."""
    starts, ends, before = tables
    is_open = [any(start <= at < end for start, end in sessions) for at in range(70)]
    for at in range(70):
        if is_open_at(starts, ends, at) != is_open[at]:
            return f"open at {at}"
        if open_time_until(starts, ends, before, at) != sum(is_open[:at]):
            return f"open time until {at}"
        later = [i for i, (start, _) in enumerate(sessions) if start > at]
        if next_session(starts, at) != (later[0] if later else len(sessions)):
            return f"next session after {at}"
        for amount in range(at % 2, 30, 2):
            now, left = at, amount
            while left > 0 and now < len(is_open):
                left -= is_open[now]
                now += 1
            done = now if left == 0 else NEVER
            if add_open_time(starts, ends, before, at, amount) != done:
                return f"{amount} open seconds from {at}"
    return None


@fixed
@given(session_lists)
def test_open_time_agrees_with_going_through_it_second_by_second(sessions):
    assert first_difference(table(sessions), sessions) is None


def test_the_second_by_second_comparison_notices_one_changed_second():
    right = [(10, 20), (30, 40)]
    starts, ends, before = table(right)
    assert first_difference((starts, ends, before), right) is None
    assert (
        first_difference((starts + read_only([0, 1]), ends, before), right)
        == "12 open seconds from 0"
    )
    assert first_difference((starts, ends + read_only([1, 0]), before), right) == "open at 20"
    assert (
        first_difference((starts, ends, before + read_only([0, 1])), right)
        == "12 open seconds from 0"
    )


def test_plain_integers_come_back():
    starts, ends, before = TWO_SESSIONS
    now = np.int64(150)
    assert type(is_open_at(starts, ends, now)) is bool
    for answer in (
        open_time_until(starts, ends, before, now),
        add_open_time(starts, ends, before, now, 0),
        add_open_time(starts, ends, before, now, 60),
        next_session(starts, now),
        pass_gate(starts, ends, now),
    ):
        assert type(answer) is int


# -- Gates ---------------------------------------------------------------------------------------


def test_a_gate_is_joined_up_to_its_latest_instant_and_left_at_its_release():
    """Trays are carried over at 100 and 200, and dealt with from 130 and 230 on."""
    latest, release = read_only([100, 200]), read_only([130, 230])
    passed = [pass_gate(latest, release, at) for at in (0, 100, 101, 200, 201, NEVER)]
    assert passed == [130, 130, 230, 230, NEVER, NEVER]


def test_a_gate_that_is_open_for_a_while_lets_people_through_at_once():
    """Occurrences that can be joined from 100 to 150 and from 300 to 350."""
    latest, release = read_only([150, 350]), read_only([100, 300])
    passed = [pass_gate(latest, release, at) for at in (50, 100, 120, 150, 151, 350)]
    assert passed == [100, 100, 120, 150, 300, 350]


@fixed
@given(st.lists(st.integers(0, 50), unique=True), st.lists(st.integers(0, 60), min_size=51))
def test_gates_agree_with_asking_every_occurrence(latest, release):
    latest = sorted(latest)
    release = sorted(release)[: len(latest)]
    for at in range(60):
        joined = [max(at, r) for last, r in zip(latest, release, strict=True) if at <= last]
        expected = joined[0] if joined else NEVER
        assert pass_gate(read_only(latest), read_only(release), at) == expected


# -- Working days --------------------------------------------------------------------------------


def day_table(is_working):
    before = [sum(is_working[:day]) for day in range(len(is_working) + 1)]
    return read_only(before), read_only([day for day, works in enumerate(is_working) if works])


WEEK = day_table([1, 1, 1, 1, 1, 0, 0, 1, 1, 1])  # Monday to the Wednesday after
FRIDAY, SATURDAY, MONDAY = 4 * DAY, 5 * DAY, 7 * DAY
TEN = 10 * HOUR


@pytest.mark.parametrize(
    ("at", "days", "due"),
    [
        (TEN, 0, TEN),
        (TEN, 1, DAY + TEN),
        (FRIDAY + TEN, 1, MONDAY + TEN),
        (FRIDAY + TEN, 3, MONDAY + 2 * DAY + TEN),
        (FRIDAY + TEN, 4, NEVER),
        (SATURDAY + TEN, 0, MONDAY),
        (SATURDAY + TEN, 1, MONDAY + DAY),
        (10 * DAY, 0, NEVER),
        (NEVER, 1, NEVER),
    ],
)
def test_working_days_keep_the_time_of_day_and_skip_days_off(at, days, due):
    answer = add_working_days(*WEEK, at, days)
    assert answer == due
    assert type(answer) is int


def test_a_table_that_ends_in_days_off_has_no_later_working_day():
    assert add_working_days(*day_table([1, 0, 0]), DAY, 0) == NEVER
    assert add_working_days(*day_table([0, 0]), 0, 0) == NEVER


def test_offices_count_from_the_next_working_day():
    from_at = [TEN, TEN, FRIDAY + TEN, FRIDAY, SATURDAY, SATURDAY, SATURDAY, MONDAY, MONDAY]
    to_at = [TEN, DAY, MONDAY, SATURDAY, SATURDAY, MONDAY, MONDAY + DAY, MONDAY + DAY, 0]
    counted = counted_working_days(WEEK[0], from_at, to_at)
    assert counted.tolist() == [0, 1, 1, 0, 0, 0, 1, 1, 0]


@fixed
@given(st.lists(st.booleans(), min_size=1, max_size=14))
def test_working_days_agree_with_walking_from_day_to_day(is_working):
    before, dates = day_table(is_working)
    num_days = len(is_working)
    for day in range(num_days):
        start = day
        while start < num_days and not is_working[start]:
            start += 1
        time_of_day = TEN if start == day else 0
        walked = [later for later in range(start, num_days) if is_working[later]]
        for days in range(num_days + 1):
            due = walked[days] * DAY + time_of_day if days < len(walked) else NEVER
            assert add_working_days(before, dates, day * DAY + TEN, days) == due
        for end in range(num_days):
            counted = sum(is_working[start + 1 : end + 1])
            assert counted_working_days(before, day * DAY, end * DAY + TEN) == counted


def test_never_is_later_than_any_duration_and_can_be_added_to():
    assert NEVER + math.ceil(3.2e9) < np.iinfo(np.int64).max
