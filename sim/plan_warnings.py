"""What can be simulated but is most likely not meant, as only the calendar shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from sim.name_checks import Finding, Path
from sim.plan import NONE, CumulativeRate, Plan, PlannedActivity
from sim.plan_checks import path_of, within_horizon
from sim.planning import compile_plan
from sim.scenario import Scenario
from sim.timeline import StepFunction
from sim.tree import dotted

SMALLEST_SHARE: Final = 1e-6
"""Of arrivals, that a warning is given for."""


def plan_warnings(scenario: Scenario) -> Iterator[str]:
    """What can be simulated but is most likely not meant, a sentence each with its path."""
    plan = compile_plan(scenario)
    checks = (
        _warn_recorded,
        _warn_closed,
        _warn_late_numbers,
        _warn_last_dates,
        _warn_pools,
        _warn_unserved,
    )
    for check in checks:
        for path, message in check(plan):
            yield f"{dotted(path)}: {message}"


def _warn_recorded(plan: Plan) -> Iterator[Finding]:
    for case_type in plan.case_types:
        instants = case_type.arrivals.instants
        outside = int((instants >= plan.end_at).sum())
        recorded = plan.scenario.case_types[case_type.name].arrivals.recorded
        if recorded is not None and outside:
            path = ("case_types", case_type.name, "arrivals", "recorded")
            yield path, f"{outside} of {len(instants)} rows do not lie {within_horizon(plan)}"


def _warn_closed(plan: Plan) -> Iterator[Finding]:
    """People who come, as drawn by their profile, when nobody is there to serve them."""
    for case_type in plan.case_types:
        arrivals = case_type.arrivals
        said = plan.scenario.case_types[case_type.name].arrivals
        key = "profile" if said.profile is not None else "per_hour"
        path: Path = ("case_types", case_type.name, "arrivals", key)
        for value, rate in enumerate(arrivals.rates):
            for number, before in enumerate(case_type.process.after):
                activity = plan.activities[case_type.first_activity + number]
                wanted = dict(case_type.conditions[number]).get(arrivals.by_attribute)
                is_left_out = wanted is not None and value not in wanted
                if before or is_left_out or not _is_turned_away(plan, activity):
                    continue
                share = _share_outside(rate, _openness(plan, activity.queue))
                if share > SMALLEST_SHARE:
                    here = path
                    whose = "arrivals"
                    if arrivals.by_attribute != NONE:
                        name, values, _ = case_type.attributes[arrivals.by_attribute]
                        here, whose = (*path, name, values[value]), "these arrivals"
                    pools = ", ".join(plan.pools[pool].name for pool in plan.queues[activity.queue])
                    message = (
                        f"{100 * share:.2g} % of {whose} come for '{activity.name}' "
                        f"while nobody is on shift ({pools}), and are turned away"
                    )
                    yield here, message


def _is_turned_away(plan: Plan, activity: PlannedActivity) -> bool:
    """Whether a person who comes for an activity at once goes away from a closed pool."""
    if activity.trip == NONE or activity.queue == NONE or activity.gate != NONE:
        return False
    return plan.pools[plan.queues[activity.queue][0]].at_closing != "wait"


def _openness(plan: Plan, queue: int) -> StepFunction:
    """1 while somebody is on shift for a queue."""
    shifts = [plan.shifts[shift] for shift in plan.shifts_of_queue(queue)]
    steps = [shift.sessions.step_function() for shift in shifts if shift.servers]
    total = sum(steps[1:], steps[0])
    return StepFunction(total.times, np.minimum(total.values, 1))


def _share_outside(rate: CumulativeRate, openness: StepFunction) -> float:
    """The share of arrivals that are expected while a function is 0."""
    lengths = np.maximum(rate.ends - rate.starts, 1)
    inside = (openness.integral(rate.ends) - openness.integral(rate.starts)) / lengths
    return 1 - float((np.diff(rate.before) * inside).sum()) / rate.total if rate.total else 0.0


def _warn_late_numbers(plan: Plan) -> Iterator[Finding]:
    """Numbers by date of which some hold only after the end."""
    scenario, last_day = plan.scenario, plan.days.date_of(plan.end_at - 1)
    by_date: list[tuple[Path, object]] = [
        (("profiles", name, "demand"), profile.demand)
        for name, profile in scenario.profiles.items()
    ]
    for name, pool in scenario.pools.items():
        for shift, about in pool.shifts.items():
            by_date.append((("pools", name, "shifts", shift, "servers"), about.servers))
    for name, case_type in scenario.case_types.items():
        here = ("case_types", name, "arrivals", "per_working_day")
        by_date.append((here, case_type.arrivals.per_working_day))
    for path, numbers in by_date:
        late = [date for date in numbers if date > last_day] if isinstance(numbers, dict) else []
        if late:
            yield path, f"what holds from {min(late)} on comes after the last day ({last_day})"


def _warn_last_dates(plan: Plan) -> Iterator[Finding]:
    last_day = plan.days.date_of(plan.end_at - 1)
    for name, case_type in plan.scenario.case_types.items():
        for activity_name, activity in case_type.activities.items():
            dates = activity.gate.dates if activity.gate is not None else None
            if dates and max(dates) < last_day:
                path = ("case_types", name, "activities", activity_name, "gate", "dates")
                message = (
                    f"the last date is {max(dates)}; who comes to it later "
                    f"stays there to the end ({last_day})"
                )
                yield path, message


def _warn_pools(plan: Plan) -> Iterator[Finding]:
    asked = {pool for pools in plan.queues for pool in pools}
    in_person = {
        pool
        for activity in plan.activities
        if activity.trip != NONE and activity.queue != NONE
        for pool in plan.queues[activity.queue]
    }
    for number, pool in enumerate(plan.pools):
        if number not in asked:
            yield ("pools", pool.name), "no activity asks for it"
        elif number not in in_person and pool.at_closing == "turn_away":
            message = "nobody waits here in person, and papers are never turned away"
            yield ("pools", pool.name, "at_closing"), message


def _warn_unserved(plan: Plan) -> Iterator[Finding]:
    for activity in plan.activities:
        if activity.is_lost_if_not_served and (activity.trip == NONE or activity.queue == NONE):
            message = "nobody waits here in person, so nobody is lost"
            yield (*path_of(plan, activity), "if_not_served"), message
