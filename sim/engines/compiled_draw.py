"""The compiled draw: the same workload as `draws` gives, from loops that numba compiles.

What is drawn, and from which stream, is told there. Cases are drawn type after type; then they are
put in order, and their steps are drawn, type after type again. Between the loops numpy and Python
do what is seldom: a new itinerary, the logarithms of gaps, times that need their law.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim.distributions import whole_seconds
from sim.draws import draw_workload as draw_by_definition
from sim.draws import repeated
from sim.engines.draw_tables import (
    AT_HAND,
    DIGIT,
    IS_IN_ORDER,
    KEY,
    NUM_COUNTERS,
    PURPOSES,
    STREAM,
    TOO_FEW_POINTS,
    TOO_SMALL,
    UNIT,
    WRITTEN,
    CaseTables,
    Laws,
    OrderTables,
    PlaceTables,
    case_tables,
    laws_of,
    order_tables,
    place_tables,
)
from sim.engines.native import Fixed, Kernel
from sim.itinerary import Itinerary
from sim.memory import kept_by_plan
from sim.plan import NONE, Plan, PlannedCaseType
from sim.returns import itinerary_of
from sim.streams import Streams
from sim.timeline import NEVER, IntArray
from sim.workload import Workload

_USES = (
    "sim.engines.columns",
    "sim.engines.compiling",
    "sim.engines.draw_numbers",
    "sim.engines.draw_tables",
    "sim.plan",
    "sim.timeline",
)
_KERNELS = _draw_gaps, _draw_cases, _lay_out, _draw_steps = tuple(
    Kernel("sim.engines.draw_loops", function, _USES)
    for function in ("draw_gaps", "draw_cases", "lay_out", "draw_steps")
)


class Gaps(NamedTuple):
    """Between arrivals."""

    num_types: int
    rates_begin: IntArray
    points_begin: IntArray
    streams: IntArray
    gaps: npt.NDArray[np.float64]
    """Of all types; negative."""


class Draft(NamedTuple):
    """What cases are drawn with."""

    room: int
    """For branches, and for what is written of leaves."""
    streams: IntArray
    """STREAM entries each: see `_case_streams`."""
    gaps: npt.NDArray[np.float64]
    first_return: IntArray
    """Of the streams that say whether a case is sent back, the first of each loop."""
    piece: IntArray
    """Of each rate, the one in which the last case arrived."""
    visits: IntArray
    """Of the case at hand to the end of each loop."""
    returns: IntArray
    """Whether it is sent back, visit by visit."""
    counters: IntArray
    branches: IntArray
    leaves: IntArray


class Cases(NamedTuple):
    """Cases, type after type, each in the order of its draws."""

    ordinal: IntArray
    arrived_at: IntArray
    batch: IntArray
    itinerary: IntArray
    attributes: IntArray
    """As many for each case as its type has."""
    values_begin: IntArray
    """Of each type, where those of a case in row 0 would begin."""


class Layout(NamedTuple):
    """Cases in the order of their arrival, as in a workload."""

    num_cases: int
    is_in_order: bool
    has_values: bool
    """Attributes are where they were drawn."""
    # leaves
    number: IntArray
    """Of the itinerary."""
    # itineraries
    type_of: IntArray
    # cases
    case_type: IntArray
    ordinal: IntArray
    arrived_at: IntArray
    batch: IntArray
    priority: IntArray
    attributes: IntArray
    itinerary: IntArray
    first_step: IntArray
    first_step_as_drawn: IntArray
    """In the order of `Cases`."""
    # to sort with
    digits: IntArray
    order: IntArray
    spare: IntArray


class Steps(NamedTuple):
    """What is drawn for steps. A time that is left to its law is -1 less the random number."""

    num_cases: int
    streams: IntArray
    """STREAM entries each: see `_step_streams`."""
    # cases, as they were drawn
    ordinal: IntArray
    itinerary: IntArray
    first_step: IntArray
    # steps
    time: IntArray
    patience: IntArray
    come_day: IntArray
    come_time: IntArray
    left: IntArray
    """What is left to the laws: twice the step, and one more for patience."""


def is_ready() -> bool:
    """Whether it has been compiled on this machine: if not, the first call takes some seconds."""
    return all(kernel.is_ready for kernel in _KERNELS)


def draw_workload(plan: Plan, seed: int = 1, replication: int = 0) -> Workload:
    """The same workload as the one that `draws` gives.

    Raises NoMachineCodeError if there is no machine code and none can be made.
    """
    tables, names = case_tables(plan), Streams(seed, replication)
    drawn = _draw_all_cases(plan, tables, names)
    if drawn is None:
        return draw_by_definition(plan, seed, replication)
    draft, cases, num_cases = drawn
    leaves = _unroll_all(plan, draft)
    # Leaves that differ in what makes no difference are one itinerary.
    distinct = {leaf: number for number, leaf in enumerate(dict.fromkeys(leaves))}
    itineraries = tuple(itinerary for _, itinerary in distinct)
    type_of = np.array([case_type for case_type, _ in distinct], np.int64)
    first_activity = np.array([t.first_activity for t in plan.case_types])[type_of]
    places, visits = place_tables(plan, itineraries, tuple(first_activity.tolist()))
    number = np.array([distinct[leaf] for leaf in leaves], np.int64)
    order = order_tables(plan)
    is_in_order = bool(draft.counters[IS_IN_ORDER])
    layout = _new_layout(order, cases, num_cases, is_in_order, number, type_of)
    num_steps = _lay_out(_fixed(plan).order, places, cases, layout)
    has_patience, has_trips = places.has_patience, places.has_trips
    steps = Steps(
        num_cases=num_cases,
        streams=_step_streams(plan, names, visits),
        ordinal=cases.ordinal,
        itinerary=cases.itinerary,
        first_step=layout.first_step_as_drawn,
        time=np.empty(num_steps, np.int64),
        patience=np.empty(num_steps if has_patience else 0, np.int64),
        come_day=np.empty(num_steps if has_trips else 0, np.int64),
        come_time=np.empty(num_steps if has_trips else 0, np.int64),
        left=np.empty(2 * num_steps, np.int64),
    )
    left = steps.left[: _draw_steps(_fixed(plan).laws, places, steps)]
    for purpose, times in enumerate((steps.time, steps.patience)):
        if len(mine := left[left & 1 == purpose] >> 1):
            _ask_laws(laws_of(plan), purpose, places, layout, times, mine)
    return Workload(
        replication=replication,
        seed=seed,
        case_type=layout.case_type,
        ordinal=layout.ordinal,
        arrived_at=layout.arrived_at,
        batch=layout.batch if tables.has_batches else repeated(num_cases, NONE),
        priority=(
            layout.priority
            if order.has_priorities
            else repeated(num_cases, plan.case_types[0].priorities[0])
        ),
        attributes=layout.attributes.reshape(num_cases, tables.width),
        itinerary=layout.itinerary,
        first_step=layout.first_step,
        itineraries=itineraries,
        first_activity=first_activity,
        step_time=steps.time,
        step_patience=steps.patience if has_patience else repeated(num_steps, NEVER),
        step_come_day=steps.come_day if has_trips else repeated(num_steps, 0),
        step_come_time=steps.come_time if has_trips else repeated(num_steps, 0),
    )


# --- between the loops ---------------------------------------------------------------------------


def _draw_all_cases(
    plan: Plan, tables: CaseTables, names: Streams
) -> tuple[Draft, Cases, int] | None:
    """The cases, and how many they are; None if there are more arrivals than were drawn."""
    most, room = tables.most_cases, 2**14
    # So many visits that hardly ever a case comes once more. In loops within loops it may.
    visits = [
        2 + int(math.log(1e3 * (most + 1)) / -math.log(again)) if again > 0 else 1
        for again in tables.again.tolist()
    ]
    while True:
        longest_way = tables.width + sum(visits) + 1
        draft = Draft(
            room=room,
            streams=_case_streams(plan, names, visits),
            gaps=np.empty(tables.points_begin[-1]),
            first_return=_first_returns(tables, visits),
            piece=np.zeros(len(tables.rate_total), np.int64),
            visits=np.zeros(len(visits), np.int64),
            returns=np.zeros(sum(visits), np.int64),
            counters=np.zeros(NUM_COUNTERS, np.int64),
            branches=np.zeros(room + tables.most_branches.sum() * longest_way, np.int64),
            leaves=np.empty(room, np.int64),
        )
        cases = Cases(
            ordinal=np.empty(most, np.int64),
            arrived_at=np.empty(most, np.int64),
            batch=np.empty(most if tables.has_batches else 0, np.int64),
            itinerary=np.empty(most, np.int64),
            attributes=np.empty(tables.most_values, np.int64),
            values_begin=np.empty(tables.num_types, np.int64),
        )
        begins = tables.rates_begin, tables.points_begin
        _draw_gaps(Gaps(tables.num_types, *begins, draft.streams, draft.gaps))
        # As in the definition: to the last bit, another logarithm may be another number.
        for begin, end in itertools.pairwise(tables.points_begin.tolist()):
            np.log1p(draft.gaps[begin:end], out=draft.gaps[begin:end])
        num_cases = _draw_cases(_fixed(plan).cases, draft, cases)
        if num_cases == TOO_FEW_POINTS:
            return None
        if num_cases != TOO_SMALL:
            return draft, cases, num_cases
        visits, room = [4 * n for n in visits], 4 * room


def _first_returns(tables: CaseTables, visits: list[int]) -> IntArray:
    """Where the streams of each loop begin, see `_case_streams`."""
    before = 2 * tables.num_types + tables.attributes_begin[-1]
    first: IntArray = (before + np.cumsum([0, *visits])) * STREAM
    return first


def _case_streams(plan: Plan, names: Streams, visits: list[int]) -> IntArray:
    """Arrivals of each type, batches of each type, attributes, then the visits of each loop."""
    types, loops = plan.case_types, iter(visits)
    keys = [names.key(t.name, "arrivals") for t in types]
    keys += [names.key(t.name, "batch") for t in types]
    keys += [names.key(t.name, name, "attribute") for t in types for name, _, _ in t.attributes]
    for case_type in types:
        for loop in case_type.process.loops:
            sender = plan.activities[case_type.first_activity + loop.end].name
            keys += [
                names.key(case_type.name, sender, "again", visit + 1)
                for visit in range(next(loops))
            ]
    return _new_streams(keys)


def _step_streams(plan: Plan, names: Streams, visits: Iterable[tuple[int, int]]) -> IntArray:
    """For each activity and visit the streams of `PURPOSES`, those that are drawn from."""
    drawn = _names_of_activities(plan)
    key = functools.cache(names.key)  # versions of an activity share their streams
    keys = [
        key(name, visit) if name else b"\0" * 16
        for activity, visit in visits
        for name in drawn[activity]
    ]
    return _new_streams(keys)


class _FixedTables(NamedTuple):
    """The tables of a plan, as its kernels take them."""

    cases: Fixed
    order: Fixed
    laws: Fixed


@kept_by_plan
def _fixed(plan: Plan) -> _FixedTables:
    tables = case_tables(plan), order_tables(plan), laws_of(plan).tables
    return _FixedTables(*map(Fixed, tables))


@kept_by_plan
def _names_of_activities(plan: Plan) -> list[list[str]]:
    """Of each activity the names of its streams, but for the visit; empty if nothing is drawn."""
    laws = laws_of(plan).law_of.tolist()
    result = []
    for activity, (time, patience) in zip(plan.activities, laws, strict=True):
        is_drawn = (time != NONE, patience != NONE, activity.trip != NONE, activity.trip != NONE)
        name = f"{plan.case_types[activity.case_type].name}/{activity.name}"
        result.append(
            [
                f"{name}/{purpose}" if is_needed else ""
                for purpose, is_needed in zip(PURPOSES, is_drawn, strict=True)
            ]
        )
    return result


def _new_streams(keys: list[bytes]) -> IntArray:
    """Streams of these keys, with no numbers at hand."""
    streams = np.empty((len(keys), STREAM), np.int64)
    streams[:, KEY : KEY + 2] = np.frombuffer(b"".join(keys), "<i8").reshape(-1, 2)
    streams[:, AT_HAND] = NONE
    return streams.ravel()


def _unroll_all(plan: Plan, draft: Draft) -> list[tuple[int, Itinerary]]:
    """Case type and itinerary of each leaf."""
    known, result, at = _known(plan), [], 0
    numbers = draft.leaves[: draft.counters[WRITTEN]].tolist()
    while at < len(numbers):
        end = at + numbers[at]
        leaf = tuple(numbers[at + 1 : end])
        if leaf not in known:
            known[leaf] = leaf[0], _unroll(plan, plan.case_types[leaf[0]], iter(leaf[1:]))
        result.append(known[leaf])
        at = end
    return result


@kept_by_plan
def _known(plan: Plan) -> dict[tuple[int, ...], tuple[int, Itinerary]]:
    """What `_unroll_all` has found in other replications."""
    return {}


def _unroll(plan: Plan, case_type: PlannedCaseType, leaf: Iterator[int]) -> Itinerary:
    """The itinerary of a leaf: see `_write_leaf`."""
    asked = {column for of_activity in case_type.conditions for column, _ in of_activity}
    values = [
        next(leaf) if column in asked else NONE for column in range(len(case_type.attributes))
    ]
    loops = case_type.process.loops
    visits = [next(leaf) for _ in loops]
    sent_back = {
        loop.end: [next(leaf) == 1 for _ in range(count)]
        for loop, count in zip(loops, visits, strict=True)
        if count
    }
    return itinerary_of(plan, case_type, values, sent_back)


def _new_layout(
    tables: OrderTables,
    cases: Cases,
    num_cases: int,
    is_in_order: bool,
    number: IntArray,
    type_of: IntArray,
) -> Layout:
    """Columns for the cases in order: those of the draw, if they are."""
    has_values = is_in_order and len(cases.values_begin) == 1
    num_values = num_cases * tables.width

    def column(drawn: IntArray) -> IntArray:
        return drawn[:num_cases] if is_in_order else np.empty(min(num_cases, len(drawn)), np.int64)

    first_step = np.empty(num_cases + 1, np.int64)
    return Layout(
        num_cases=num_cases,
        is_in_order=is_in_order,
        has_values=has_values,
        number=number,
        type_of=type_of,
        case_type=np.empty(num_cases, np.int64),
        ordinal=column(cases.ordinal),
        arrived_at=column(cases.arrived_at),
        batch=column(cases.batch),
        priority=np.empty(num_cases if tables.has_priorities else 0, np.int64),
        attributes=cases.attributes[:num_values] if has_values else np.empty(num_values, np.int64),
        itinerary=column(cases.itinerary),
        first_step=first_step,
        first_step_as_drawn=first_step if is_in_order else np.empty(num_cases, np.int64),
        digits=np.empty(2**DIGIT, np.int64),
        order=np.empty(num_cases, np.int64),
        spare=np.empty(num_cases, np.int64),
    )


def _ask_laws(
    laws: Laws,
    purpose: int,
    places: PlaceTables,
    layout: Layout,
    times: IntArray,
    steps: IntArray,
) -> None:
    """Fill in what was left to the laws, of the times or the patience of these steps."""
    case = np.searchsorted(layout.first_step, steps, side="right") - 1
    place = places.begin[layout.itinerary[case]] + steps - layout.first_step[case]
    which = laws.law_of[places.activity[place], purpose]
    for law in sorted(set(which.tolist())):
        mine = steps[which == law]
        times[mine] = whole_seconds(laws.laws[law].quantile((-1 - times[mine]) * UNIT))
