"""Which cases are sent back, and the itineraries that come of it: drawn visit by visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from sim.itinerary import Itinerary, Loop, Process, unroll, with_versions
from sim.plan import NONE, Plan, PlannedActivity, PlannedCaseType
from sim.streams import Streams
from sim.timeline import BoolArray, IntArray


def unroll_all(
    plan: Plan,
    case_type: PlannedCaseType,
    attributes: IntArray,
    ordinal: IntArray,
    streams: Streams,
) -> tuple[IntArray, tuple[Itinerary, ...]]:
    """The itinerary of each case; those that live through the same share one."""
    process = case_type.process
    code = _Code(len(ordinal))
    for column in sorted({column for of in case_type.conditions for column, _ in of}):
        code.refine(attributes[:, column], len(case_type.attributes[column][1]))
    present = {loop.end: _is_present(case_type, loop.end, attributes) for loop in process.loops}
    visits: dict[int, IntArray] = {}
    returns: dict[int, list[BoolArray]] = {}
    for loop in process.loops:
        end = loop.end
        sender = plan.activities[case_type.first_activity + end]
        passes = np.where(present[end], _passes_around(process, loop, visits, present), 0)
        returns[end] = _draw_returns(streams, case_type.name, sender, passes, ordinal)
        visits[end] = passes
        for is_sent_back in returns[end]:
            code.refine(is_sent_back, 2)
            visits[end] = visits[end] + is_sent_back
    numbers, cases = code.numbers()
    unrolled = [
        itinerary_of(
            plan,
            case_type,
            attributes[case].tolist(),
            {
                end: [bool(returns[end][n][case]) for n in range(visits[end][case])]
                for end in returns
                if present[end][case]
            },
        )
        for case in cases.tolist()
    ]
    itineraries = tuple(dict.fromkeys(unrolled))
    if len(itineraries) < len(unrolled):
        numbers = np.array([itineraries.index(it) for it in unrolled])[numbers]
    return numbers, itineraries


def itinerary_of(
    plan: Plan,
    case_type: PlannedCaseType,
    attributes: Sequence[int],
    sent_back: Mapping[int, Sequence[bool]],
) -> Itinerary:
    """The itinerary of a case of these attributes and returns, see `unroll`."""
    present = [
        not conditions or all(attributes[column] in values for column, values in conditions)
        for conditions in case_type.conditions
    ]
    process, versions = case_type.process, case_type.versions
    if not versions:
        return unroll(process, present, sent_back)
    lived = {node: tuple(v for v in all_ if present[v]) for node, all_ in versions.items()}
    nodes = [bool(lived.get(node, present[node])) for node in range(process.num_activities)]
    itinerary = unroll(process, nodes, sent_back)
    first = case_type.first_activity
    has_trip = [a.trip != NONE for a in plan.activities[first : first + len(present)]]
    return with_versions(process, itinerary, lived, has_trip)


class _Code:
    """A small number for each case, that of the others which are like it in all that was said."""

    LARGEST = 4096

    def __init__(self, num_cases: int) -> None:
        self._codes = np.zeros(num_cases, dtype=np.int64)
        self._end = 1

    def refine(self, values: np.ndarray, num_values: int) -> None:
        """Tell apart by one thing more, values in [0, num_values)."""
        self._codes = self._codes * num_values + values
        self._end *= num_values
        if self._end > self.LARGEST:
            self._codes, first = self.numbers()
            self._end = len(first)

    def numbers(self) -> tuple[IntArray, IntArray]:
        """Numbers from 0 in the order of their first cases, and those."""
        num_cases = len(self._codes)
        first = np.full(self._end, num_cases)
        # Of several cases, the one that is assigned last counts: the first.
        first[self._codes[::-1]] = np.arange(num_cases)[::-1]
        cases = np.sort(first[first < num_cases])
        numbers = np.empty(self._end, dtype=np.int64)
        numbers[self._codes[cases]] = np.arange(len(cases))
        return numbers[self._codes], cases


def _is_present(case_type: PlannedCaseType, activity: int, attributes: IntArray) -> BoolArray:
    """Whether each case lives through an activity."""
    result = np.ones(len(attributes), dtype=bool)
    for column, values in case_type.conditions[activity]:
        is_asked_for = np.zeros(len(case_type.attributes[column][1]), dtype=bool)
        is_asked_for[list(values)] = True
        result &= is_asked_for[attributes[:, column]]
    return result


def _passes_around(
    process: Process, loop: Loop, visits: dict[int, IntArray], present: dict[int, BoolArray]
) -> npt.ArrayLike:
    """For each case, how often it comes into a loop from outside: once a pass of the outer loop."""
    outer = process.parent(loop)
    if outer is None:
        return 1
    further_out = _passes_around(process, outer, visits, present)
    return np.where(present[outer.end], visits[outer.end], further_out)


def _draw_returns(
    streams: Streams,
    case_type: str,
    activity: PlannedActivity,
    passes: IntArray,
    ordinal: IntArray,
) -> list[BoolArray]:
    """For each visit, whether each case is sent back.

    A case comes in `passes` times and stays each time until it is not sent back.
    """
    remaining = passes.copy()
    result: list[BoolArray] = []
    while len(mine := np.flatnonzero(remaining)):
        visit = len(result) + 1
        count = int(ordinal[mine[-1]]) + 1
        u = streams.uniforms(count, case_type, activity.name, "again", visit)
        is_sent_back = np.zeros(len(passes), dtype=bool)
        is_sent_back[mine] = u[ordinal[mine]] < activity.again
        result.append(is_sent_back)
        remaining[mine] -= ~is_sent_back[mine]
    return result
