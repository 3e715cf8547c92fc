"""Processes without meaning: circles, loops, visits that overlap, promises that run backwards."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Final

from sim.activities import PASS, Activity
from sim.itinerary import LoopError, Process, find_cycle
from sim.name_checks import Finding, Path
from sim.plan import NONE
from sim.planning import process_of
from sim.promises import ARRIVED, DEPARTED, Promise
from sim.scenario import CaseType, Scenario

MOST_COMBINATIONS: Final = 100_000
"""How many combinations of attributes are looked at."""
MOST_PASSES: Final = 1000
"""How often a case may be expected to live through one activity."""


def check_processes(scenario: Scenario) -> Iterator[Finding]:
    """What is wrong with the processes of a scenario whose names are all known."""
    trips = {name: number for number, name in enumerate(scenario.trips)}
    for name, case_type in scenario.case_types.items():
        path: Path = ("case_types", name)
        yield from _check_nothing_to_do(case_type, path)
        names = list(case_type.activities)
        numbers = {activity: number for number, activity in enumerate(names)}
        after = [[numbers[a] for a in act.after] for act in case_type.activities.values()]
        if cycle := [names[number] for number in find_cycle(after)]:
            circle = " after ".join([*cycle, cycle[0]])
            message = f"activities wait for each other in a circle: {circle}"
            yield (*path, "activities", cycle[0], "after"), message
            continue
        try:
            activities = case_type.activities
            trip_of = [trips[a.trip] if a.trip else NONE for a in activities.values()]
            process = process_of(activities, trip_of)
        except LoopError as error:
            yield (*path, "activities", names[error.activity], "again"), str(error)
            continue
        yield from _check_passes(case_type, process, path)
        yield from _check_loops(case_type, process, path)
        yield from _check_visits(case_type, process, path)
        for key, promise in scenario.promises.items():
            if name in promise.case_types:
                yield from _check_promise(name, case_type, process, key, promise)


def _check_passes(case_type: CaseType, process: Process, path: Path) -> Iterator[Finding]:
    for number, (name, activity) in enumerate(case_type.activities.items()):
        here = (*path, "activities", name, "when", PASS)
        if PASS not in activity.when:
            continue
        if not process.enclosing(number):
            yield here, "it stands in no loop, so there are no passes"
        elif activity.again is not None:
            yield here, "what is sent back ('again') is part of every pass"


def _check_loops(case_type: CaseType, process: Process, path: Path) -> Iterator[Finding]:
    activities = list(case_type.activities.items())
    for loop in process.loops:
        if not any(_takes_time(activities[member][1]) for member in loop.members):
            here = (*path, "activities", activities[loop.end][0], "again")
            members = ", ".join(activities[member][0] for member in sorted(loop.members))
            yield here, f"nothing in this loop takes time: {members}"
        passes = math.prod(
            1 / (1 - again.probability)
            for around in process.enclosing(loop.end)
            if (again := activities[around.end][1].again) is not None
        )
        if passes > MOST_PASSES:
            here = (*path, "activities", activities[loop.end][0], "again")
            message = (
                f"a case would go through this about {passes:,.0f} times; "
                f"at most {MOST_PASSES:,} can be simulated"
            )
            yield here, message
            return  # of loops in this one, as many passes again


def _takes_time(activity: Activity) -> bool:
    parts = (activity.service, activity.delay, activity.gate, activity.trip)
    return any(part is not None for part in parts)


def _check_visits(case_type: CaseType, process: Process, path: Path) -> Iterator[Finding]:
    """A person does one thing after the other: parallel activities cannot share a trip."""
    activities = list(case_type.activities.items())
    before = _all_before(process)
    for (i, (name, first)), (j, (other, second)) in itertools.combinations(
        enumerate(activities), 2
    ):
        if first.trip is None or first.trip != second.trip:
            continue
        if i not in before[j] and j not in before[i] and not _exclude_each_other(first, second):
            message = (
                f"shares the trip '{first.trip}' with '{name}', but neither comes after the other"
            )
            yield (*path, "activities", other, "trip"), message


def _all_before(process: Process) -> list[set[int]]:
    """For each activity, those before it, near or far."""
    before: list[set[int]] = [set() for _ in process.after]
    for number in process.order:
        for earlier in process.after[number]:
            before[number] |= before[earlier] | {earlier}
    return before


def _exclude_each_other(first: Activity, second: Activity) -> bool:
    """Whether no case lives through both."""
    shared = first.when.keys() & second.when.keys()
    return any(not set(first.when[key]) & set(second.when[key]) for key in shared)


def _check_promise(
    name: str, case_type: CaseType, process: Process, key: str, promise: Promise
) -> Iterator[Finding]:
    """The time from a milestone to an earlier one, and that of a batch of one, mean nothing."""
    if promise.per == "batch" and case_type.arrivals.is_single:
        yield ("promises", key, "per"), f"the cases of '{name}' come one by one, not in batches"
    marked: dict[str, list[int]] = {}
    activities = list(case_type.activities.values())
    for number, activity in enumerate(activities):
        marked.setdefault(activity.milestone or "", []).append(number)

    def is_before(first: int, second: int) -> bool:
        # The last pass of a loop counts; only if not all of it is done in every pass may the last
        # time of one be before that of the other.
        loops = set(process.enclosing(first)) & set(process.enclosing(second))
        in_some = PASS in activities[first].when or PASS in activities[second].when
        return first in before[second] and not (loops and in_some)

    before = _all_before(process)
    is_backwards = promise.to == ARRIVED or promise.from_ == DEPARTED
    if not is_backwards and promise.from_ != ARRIVED and promise.to != DEPARTED:
        is_backwards = all(
            is_before(last, first) for first in marked[promise.from_] for last in marked[promise.to]
        )
    if is_backwards:
        message = f"'{promise.to}' always comes before '{promise.from_}' in case type '{name}'"
        yield ("promises", key, "to"), message


def _check_nothing_to_do(case_type: CaseType, path: Path) -> Iterator[Finding]:
    """A case must live through something, whatever its attributes are."""
    conditions = [
        {attribute: values for attribute, values in activity.when.items() if attribute != PASS}
        for activity in case_type.activities.values()
        if activity.when.get(PASS) != ("later",)
    ]
    # In the order of the file, so that the message is always the same.
    used = [name for name in case_type.attributes if any(name in c for c in conditions)]
    choices = [[v for v, share in case_type.attributes[n].items() if share > 0] for n in used]
    if any(not condition for condition in conditions):
        return
    if math.prod(map(len, choices)) > MOST_COMBINATIONS:
        message = f"`when` asks for more than {MOST_COMBINATIONS} combinations of attributes"
        yield (*path, "activities"), message
        return
    for choice in itertools.product(*choices):
        values = dict(zip(used, choice, strict=True))
        if not any(_holds(condition, values) for condition in conditions):
            found = ", ".join(f"{name}: {value}" for name, value in values.items())
            whom = f"cases with {found}" if found else "any case"
            yield (*path, "activities"), f"there is nothing to do for {whom}"
            return


def _holds(condition: Mapping[str, tuple[str, ...]], values: Mapping[str, str]) -> bool:
    return all(values[attribute] in wanted for attribute, wanted in condition.items())
