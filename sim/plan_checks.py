"""What only the calendar shows: things that never happen, and runs that are too large.

What can be simulated but is most likely not meant is the business of `plan_warnings`.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from sim.distributions import LARGEST_SECONDS, longest
from sim.durations import Duration
from sim.errors import CalendarError
from sim.name_checks import Finding, Path
from sim.offered_load import expected_visits, num_combinations
from sim.plan import NONE, Plan, PlannedActivity
from sim.planning import compile_plan, law_of
from sim.process_checks import MOST_COMBINATIONS
from sim.recordings import ARRIVED_AT
from sim.scenario import Arrivals, Scenario
from sim.time_laws import TimeLaw
from sim.time_tables import horizon_dates
from sim.timeline import DAY, IntArray
from sim.tree import shown

LONGEST_YEARS: Final = 60
MOST_STEPS: Final = 5_000_000
"""Expected steps of all cases of a replication; each takes some hundred bytes."""
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d")


def check_time_laws(scenario: Scenario) -> Iterator[Finding]:
    """Parameters out of range, and times that could be longer than the clock goes."""
    for name, case_type in scenario.case_types.items():
        for activity_name, activity in case_type.activities.items():
            for key in ("service", "delay", "patience"):
                law: TimeLaw | None = getattr(activity, key)
                if law is not None:
                    path = ("case_types", name, "activities", activity_name, key)
                    yield from _check_time_law(law, path)


def _check_time_law(law: TimeLaw, path: Path) -> Iterator[Finding]:
    try:
        distribution = law_of(law)
    except ValueError as error:
        parameter, _, rest = str(error).partition(": ")
        yield (*path, law.family, parameter), rest
        return
    assert distribution is not None
    if not longest(distribution) <= LARGEST_SECONDS:  # NaN too
        yield path, "this could last for more than 100 years"


def check_horizon(scenario: Scenario) -> Iterator[Finding]:
    """A horizon that ends before it begins, is too long, or lies outside the calendar."""
    horizon = scenario.horizon
    try:
        begins, first, last = horizon_dates(scenario)
    except CalendarError as error:
        yield ("horizon",), str(error)
        return
    if last < first:
        # An end that is said in working days can only come too early if there are none.
        is_date = not isinstance(horizon.to, Duration)
        found = f"{last} is before {first}, the first day" if is_date else "no day is measured"
        yield ("horizon", "to"), found
    elif begins > first:
        yield ("horizon", "warm_up"), f"begins on {begins}, after {first}, the first measured day"
    elif (last - begins).days > LONGEST_YEARS * 366:
        yield ("horizon",), f"from {begins} to {last} is longer than {LONGEST_YEARS} years"


def check_recorded(scenario: Scenario) -> Iterator[Finding]:
    """Recorded instants that Python can read but that are no date with a time of day."""
    for name, case_type in scenario.case_types.items():
        recorded = case_type.arrivals.recorded
        texts = recorded.get(ARRIVED_AT, ()) if isinstance(recorded, dict) else ()
        for number, text in enumerate(texts):
            if not _INSTANT.match(text) and _is_iso(text):
                path = ("case_types", name, "arrivals", "recorded", ARRIVED_AT, number)
                yield path, f"an instant is written '2015-12-31 09:30', not '{shown(text)}'"


def _is_iso(text: str) -> bool:
    """Whether it is read as an instant; if not, that is told where names are checked."""
    try:
        return dt.datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False


def check_plan(scenario: Scenario) -> Iterator[Finding]:
    """What never happens within the horizon although something needs it."""
    try:
        plan = compile_plan(scenario)
    except CalendarError as error:
        yield ("horizon",), str(error)
        return
    if not (plan.days.dates * DAY >= plan.measured_from_at).any():
        first, last = (plan.days.date_of(at) for at in (plan.measured_from_at, plan.end_at - 1))
        yield ("horizon", "to"), f"there is no working day from {first} to {last}"
        return
    findings = [
        finding
        for check in (
            _check_pools,
            _check_ends,
            _check_rooms,
            _check_gates,
            _check_trips,
            _check_arrivals,
        )
        for finding in check(plan)
    ]
    yield from findings or _check_size(plan)


def _check_pools(plan: Plan) -> Iterator[Finding]:
    reasons = {pool: reason for pool in range(len(plan.pools)) if (reason := _closed(plan, pool))}
    reported: set[int] = set()
    for activity in plan.activities:
        pools = plan.queues[activity.queue] if activity.queue != NONE else ()
        if not pools or not all(pool in reasons for pool in pools):
            continue
        path = path_of(plan, activity)
        if len(pools) > 1:
            names = ", ".join(plan.pools[pool].name for pool in pools)
            yield (*path, "pool"), f"nobody is ever on shift in any of its pools: {names}"
        elif pools[0] not in reported:
            reported.add(pools[0])
            needed = f"{plan.case_types[activity.case_type].name}.{activity.name}"
            message = f"can never open: {reasons[pools[0]]}; {needed} needs it"
            yield ("pools", plan.pools[pools[0]].name), message


def _closed(plan: Plan, pool: int) -> str:
    """Why a pool never serves anyone, or nothing."""
    shifts = [plan.shifts[shift] for shift in plan.pools[pool].shifts]
    if any(shift.servers and len(shift.sessions.starts) for shift in shifts):
        return ""
    without = [shift.name for shift in shifts if not shift.servers]
    closed = [shift.name for shift in shifts if shift.servers]
    parts = []
    if without:
        parts.append(f"no servers in {', '.join(without)}")
    if closed:
        parts.append(f"no opening hours {within_horizon(plan)} for {', '.join(closed)}")
    return " and ".join(parts)


def _check_ends(plan: Plan) -> Iterator[Finding]:
    """What ends for good on the way, although cases in progress may need it.

    For good is for longer than it is ever away between two times.
    """
    if not plan.scenario.dated_reforms:
        return
    last_day = int(plan.days.dates[-1]) * DAY if len(plan.days.dates) else 0
    reported: set[Path] = set()
    for activity in plan.activities:
        until = min(last_day, activity.lived_until)
        for path, what, begins, ends in _times_of(plan, activity):
            if path in reported or not len(begins):
                continue
            order = np.argsort(begins)
            begins, ends = begins[order], np.maximum.accumulate(ends[order])
            if until - ends[-1] > (begins[1:] - ends[:-1]).max(initial=0):
                reported.add(path)
                needed = f"{plan.case_types[activity.case_type].name}.{activity.name}"
                last = plan.days.date_of(max(int(ends[-1]) - 1, 0))
                yield (
                    path,
                    f"{what} after {last}: cases that still need {needed} have no way to their end",
                )


def _times_of(
    plan: Plan, activity: PlannedActivity
) -> Iterator[tuple[Path, str, IntArray, IntArray]]:
    """When what an activity needs begins and ends, with its place and what it is without it."""
    if activity.queue != NONE:
        shifts = [plan.shifts[shift] for shift in plan.shifts_of_queue(activity.queue)]
        sessions = [shift.sessions for shift in shifts if shift.servers]
        pools = [plan.pools[pool].name for pool in plan.queues[activity.queue]]
        if sessions:
            yield (
                ("pools", pools[0]),
                f"nobody is on shift ({', '.join(pools)})",
                np.concatenate([some.starts for some in sessions]),
                np.concatenate([some.ends for some in sessions]),
            )
    if activity.gate != NONE:
        times = plan.gates[activity.gate]
        yield (*path_of(plan, activity), "gate"), "it never happens", times.latest, times.release
    if activity.trip != NONE:
        trip = plan.trips[activity.trip]
        yield ("trips", trip.name), "nobody can come", trip.starts, trip.starts


def _check_rooms(plan: Plan) -> Iterator[Finding]:
    for number, pool in enumerate(plan.pools):
        if pool.room is None:
            continue
        if not any(
            activity.trip != NONE
            and activity.queue != NONE
            and number in plan.queues[activity.queue]
            for activity in plan.activities
        ):
            message = "nobody waits here in person, so the room has no meaning"
            yield ("pools", pool.name, "room"), message


def _check_gates(plan: Plan) -> Iterator[Finding]:
    for activity in plan.activities:
        if activity.gate != NONE and not len(plan.gates[activity.gate].latest):
            yield (*path_of(plan, activity), "gate"), f"never happens {within_horizon(plan)}"


def _check_trips(plan: Plan) -> Iterator[Finding]:
    used = {activity.trip for activity in plan.activities}
    for number, trip in enumerate(plan.trips):
        if number in used and not len(trip.starts):
            hours = plan.scenario.trips[trip.name].hours or plan.scenario.working_hours
            yield ("trips", trip.name), f"nobody can ever come: {_never_open(plan, hours)}"


def _check_arrivals(plan: Plan) -> Iterator[Finding]:
    for name, case_type in plan.scenario.case_types.items():
        versions = [planned.arrivals for planned in plan.case_types if planned.name == name]
        path = ("case_types", name, "arrivals")
        arrivals = case_type.arrivals
        if arrivals.per_hour and not any(version.rates[0].total for version in versions):
            hours = arrivals.hours or plan.scenario.working_hours
            yield path, f"nobody can ever come: {_never_open(plan, hours)}"
        elif arrivals.per_working_day and _are_expected(arrivals.per_working_day):
            for number, profile in enumerate(_profiles(arrivals)):
                if not any(sum(r.total for r in v.rates[number:][:1]) for v in versions):
                    message = f"nobody can ever come: '{profile}' has no weight "
                    message += within_horizon(plan)
                    yield (*path, "profile"), message
        elif arrivals.recorded is not None and not any(
            (version.instants < plan.end_at).any() for version in versions
        ):
            yield (*path, "recorded"), f"nobody comes {within_horizon(plan)}"


def _are_expected(rates: float | Mapping[dt.date, float]) -> bool:
    return any(rates.values()) if isinstance(rates, Mapping) else bool(rates)


def _profiles(arrivals: Arrivals) -> list[str]:
    if isinstance(arrivals.profile, dict):
        return [name for by_value in arrivals.profile.values() for name in by_value.values()]
    return [str(arrivals.profile)]


def _check_size(plan: Plan) -> Iterator[Finding]:
    combinations = 0
    for number, activity in enumerate(plan.activities):
        case_type = plan.case_types[activity.case_type]
        combinations += num_combinations(case_type, number - case_type.first_activity)
        if combinations > MOST_COMBINATIONS:
            message = (
                f"with those before it, asks for more than {MOST_COMBINATIONS:,} "
                "combinations of attributes"
            )
            yield (*path_of(plan, activity), "when"), message
            return
    visits = expected_visits(plan)
    if math.fsum(visits) > MOST_STEPS:
        most = max(range(len(visits)), key=visits.__getitem__)
        activity = plan.activities[most]
        message = (
            f"about {math.fsum(visits):,.0f} activities would be gone through in a replication, "
            f"this one {visits[most]:,.0f} times; at most {MOST_STEPS:,} can be simulated"
        )
        yield path_of(plan, activity), message


def path_of(plan: Plan, activity: PlannedActivity) -> Path:
    """Where an activity stands."""
    return ("case_types", plan.case_types[activity.case_type].name, "activities", activity.name)


def _never_open(plan: Plan, hours: str) -> str:
    # Those of the file are open if a reform has given it others.
    which = "its hours from a date on" if len(plan.hours[hours].starts) else f"the hours '{hours}'"
    return f"{which} are never open {within_horizon(plan)}"


def within_horizon(plan: Plan) -> str:
    """The simulated days, in words."""
    return f"from {plan.origin} to {plan.days.date_of(plan.end_at - 1)}"
