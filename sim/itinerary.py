"""The itinerary of a case: its conditions, rework and parallel work unrolled into steps.

A `Process` is the precedence graph of one case type. `unroll` turns it, for a case whose attributes
and returns are known, into an `Itinerary`: the steps that this case will go through, each a visit
to one activity, in an order in which every step comes after its predecessors. The *place* of a step
is its index there. How long anything takes, and who waits for whom, is not known here.

Two rules shape it. An activity that the case does not live through closes the gap: what came after
it comes after what it came after. And what follows a loop follows its last pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

PassCondition = Literal["first", "later"] | None


@dataclass(frozen=True)
class Loop:
    """What is done once more when the activity `end` is sent back to `begins`."""

    begins: frozenset[int]
    """Alternatives or parallel beginnings."""
    end: int
    members: frozenset[int]
    """Every activity on a way from a beginning to the end, both included."""


class LoopError(ValueError):
    """A loop that has no meaning; `activity` is the one that says `again`."""

    def __init__(self, activity: int, message: str) -> None:
        self.activity = activity
        super().__init__(message)


@dataclass(frozen=True, eq=False)
class Process:
    """The precedence graph of a case type; activities are numbered as they stand in the file."""

    after: tuple[tuple[int, ...], ...]
    loops: tuple[Loop, ...]
    """Outer loops before the loops inside them."""
    order: tuple[int, ...]
    """Every activity after its predecessors, and what follows a loop after the loop's end."""
    trips: tuple[int, ...]
    """Trip of each activity, -1 for none."""
    passes: tuple[PassCondition, ...]
    """In which pass of its innermost loop an activity is lived through; None for all."""
    _unrolled: dict[object, Itinerary] = field(default_factory=dict, repr=False)

    @property
    def num_activities(self) -> int:
        """How many activities there are."""
        return len(self.after)

    def enclosing(self, activity: int) -> tuple[Loop, ...]:
        """The loops that an activity stands in, outermost first."""
        return tuple(loop for loop in self.loops if activity in loop.members)

    def parent(self, loop: Loop) -> Loop | None:
        """The innermost loop around another loop."""
        around = [other for other in self.enclosing(loop.end) if other is not loop]
        return next((other for other in reversed(around) if loop.members < other.members), None)


@dataclass(frozen=True, eq=False)
class Itinerary:
    """The steps of a case; every array has one entry a step."""

    activity: np.ndarray
    """int32: number of the activity within its case type."""
    visit: np.ndarray
    """int32: how often this case has come to the activity, from 1."""
    is_repeat: np.ndarray
    """bool: in a later pass of a loop."""
    trip_place: tuple[int, ...]
    """Place of the step that begins the trip which each step is part of, -1 if nobody comes in.

    Who came in for that step is there for the others, until they go home at the end of the day."""
    num_predecessors: tuple[int, ...]
    successors: tuple[tuple[int, ...], ...]
    beginnings: tuple[int, ...]
    """Places of the steps that wait for no other."""

    @property
    def num_steps(self) -> int:
        """How many steps there are."""
        return len(self.successors)


def make_process(
    after: Sequence[Sequence[int]],
    again: Mapping[int, Sequence[int]],
    trips: Sequence[int],
    passes: Sequence[PassCondition],
) -> Process:
    """The process with these predecessors; `again` maps the end of each loop to its beginnings.

    Raises LoopError for a loop whose beginnings do not lead to its end, for loops that overlap
    without one lying inside the other, and for loops of which each follows the other. The graph
    must have no cycle (`find_cycle`).
    """
    reach = _reachable(after)
    loops = []
    for end, begins in again.items():
        if any(begin != end and end not in reach[begin] for begin in begins):
            raise LoopError(end, "is sent back to an activity that does not lead to it")
        after_begin = {activity for begin in begins for activity in reach[begin]}
        between = (a for a in after_begin if end in reach[a])
        loops.append(Loop(frozenset(begins), end, frozenset({*begins, end, *between})))
    for loop in loops:
        for other in loops:
            if loop.members & other.members and not (
                loop.members <= other.members or other.members <= loop.members
            ):
                raise LoopError(loop.end, "overlaps another loop without lying inside it")
    loops.sort(key=lambda loop: -len(loop.members))
    # Nobody knows before a loop is left whether what was done in it will be done once more.
    waits_for: list[list[int]] = [list(before) for before in after]
    for loop in loops:
        for follower, before in enumerate(after):
            if follower not in loop.members and loop.members & set(before):
                waits_for[follower].append(loop.end)
    if cycle := find_cycle(waits_for):
        end = next(loop.end for loop in loops if loop.end in cycle)
        raise LoopError(end, "waits for the end of another loop that waits for this one's end")
    return Process(
        after=tuple(tuple(dict.fromkeys(before)) for before in waits_for),
        loops=tuple(loops),
        order=_topological_order([set(before) for before in waits_for]),
        trips=tuple(trips),
        passes=tuple(passes),
    )


def find_cycle(after: Sequence[Sequence[int]]) -> list[int]:
    """Activities that wait for each other in a circle, or an empty list."""
    state = [0] * len(after)
    path: list[int] = []

    def visit(node: int) -> list[int]:
        state[node] = 1
        path.append(node)
        for before in after[node]:
            if state[before] == 1:
                return path[path.index(before) :]
            if state[before] == 0 and (cycle := visit(before)):
                return cycle
        path.pop()
        state[node] = 2
        return []

    for node in range(len(after)):
        if state[node] == 0 and (cycle := visit(node)):
            return cycle
    return []


def _reachable(after: Sequence[Sequence[int]]) -> list[set[int]]:
    """For each activity, those that come after it, near or far."""
    reach: list[set[int]] = [set() for _ in after]
    for node in reversed(_topological_order([set(before) for before in after])):
        for before in after[node]:
            reach[before] |= reach[node] | {node}
    return reach


def _topological_order(after: Sequence[set[int]]) -> tuple[int, ...]:
    order: list[int] = []
    done: set[int] = set()
    while len(order) < len(after):
        # The first in file order that is ready, so that places read like the file.
        ready = next(a for a in range(len(after)) if a not in done and after[a] <= done)
        order.append(ready)
        done.add(ready)
    return tuple(order)


def unroll(
    process: Process, present: Sequence[bool], sent_back: Mapping[int, Sequence[bool]]
) -> Itinerary:
    """The itinerary of a case.

    present    for each activity, whether the case's attributes let it happen.
    sent_back  for each activity that ends a loop and is present: at its n-th visit, is the case
               sent back? As many entries as it has visits.

    The same arguments give the same object.
    """
    key = (tuple(present), tuple((end, tuple(sent_back[end])) for end in sorted(sent_back)))
    if key not in process._unrolled:
        process._unrolled[key] = _Unroller(process, present, sent_back).itinerary()
    return process._unrolled[key]


def with_versions(
    process: Process,
    itinerary: Itinerary,
    versions: Mapping[int, tuple[int, ...]],
    has_trip: Sequence[bool],
) -> Itinerary:
    """An itinerary in which activities with several versions have a step for each, side by side.

    versions  of an activity, those that the case may live through.
    has_trip  whether people come in, by version.

    The same arguments give the same object.
    """
    key = (itinerary, tuple(versions.items()))
    if key not in process._unrolled:
        process._unrolled[key] = _side_by_side(itinerary, versions, has_trip)
    return process._unrolled[key]


def _side_by_side(
    itinerary: Itinerary, versions: Mapping[int, tuple[int, ...]], has_trip: Sequence[bool]
) -> Itinerary:
    steps: list[list[int]] = []
    """The new places of each place."""
    activity: list[int] = []
    for old in itinerary.activity.tolist():
        several = versions.get(old, (old,))
        steps.append(list(range(len(activity), len(activity) + len(several))))
        activity += several
    copies = [len(places) for places in steps]
    source = np.repeat(np.arange(itinerary.num_steps), copies)
    successors = [
        tuple(new for old in itinerary.successors[place] for new in steps[old])
        for place in source.tolist()
    ]
    num_predecessors = [0] * len(activity)
    for places in successors:
        for place in places:
            num_predecessors[place] += 1
    return Itinerary(
        activity=_read_only(activity, np.int32),
        visit=_read_only(itinerary.visit[source].tolist(), np.int32),
        is_repeat=_read_only(itinerary.is_repeat[source].tolist(), np.bool_),
        trip_place=tuple(
            steps[itinerary.trip_place[place]][0] if has_trip[version] else -1
            for place, version in zip(source.tolist(), activity, strict=True)
        ),
        num_predecessors=tuple(num_predecessors),
        successors=tuple(successors),
        beginnings=tuple(new for old in itinerary.beginnings for new in steps[old]),
    )


class _Unroller:
    """The state of one unrolling: which steps there are, and which came last for each activity."""

    def __init__(
        self, process: Process, present: Sequence[bool], sent_back: Mapping[int, Sequence[bool]]
    ) -> None:
        self.process = process
        self.present = present
        self.sent_back = {end: iter(outcomes) for end, outcomes in sent_back.items()}
        self.loop_of_end = {loop.end: loop for loop in process.loops}
        self.later = {loop.end: False for loop in process.loops}
        self.latest: list[frozenset[int]] = [frozenset()] * process.num_activities
        self.visits = [0] * process.num_activities
        self.begun_trips: dict[int, int] = {}
        """The place at which each trip was begun that is not over."""
        self.steps: list[tuple[int, int, bool, int, frozenset[int]]] = []

    def itinerary(self) -> Itinerary:
        self.walk(frozenset(range(self.process.num_activities)))
        activity, visit, is_repeat, trip_place, before = (
            zip(*self.steps, strict=True) if self.steps else ((), (), (), (), ())
        )
        successors: list[list[int]] = [[] for _ in self.steps]
        for place, places_before in enumerate(before):
            for earlier in places_before:
                successors[earlier].append(place)
        return Itinerary(
            activity=_read_only(activity, np.int32),
            visit=_read_only(visit, np.int32),
            is_repeat=_read_only(is_repeat, np.bool_),
            trip_place=tuple(trip_place),
            num_predecessors=tuple(len(places) for places in before),
            successors=tuple(tuple(places) for places in successors),
            beginnings=tuple(place for place, earlier in enumerate(before) if not earlier),
        )

    def walk(self, members: frozenset[int], repeated: Loop | None = None) -> None:
        """Live through `members` once, as a repetition of a loop if one is given."""
        process = self.process
        for activity in process.order:
            if activity not in members:
                continue
            before = frozenset().union(*(self.latest[a] for a in process.after[activity]))
            if repeated is not None and activity in repeated.begins:
                before = self.latest[repeated.end]
            self.latest[activity] = self.live_through(activity, before)
            loop = self.loop_of_end.get(activity)
            if loop is not None and loop is not repeated and self.present[activity]:
                while next(self.sent_back[activity]):
                    self.begin_pass(loop)
                    self.walk(loop.members, loop)

    def begin_pass(self, loop: Loop) -> None:
        """A new pass: loops inside are in their first pass, and people have gone home."""
        self.later[loop.end] = True
        for inner in self.process.loops:
            if inner.members < loop.members:
                self.later[inner.end] = False
        for member in loop.members:
            self.begun_trips.pop(self.process.trips[member], None)

    def live_through(self, activity: int, before: frozenset[int]) -> frozenset[int]:
        """Add a step, or pass on its predecessors when the case leaves the activity out."""
        loops = self.process.enclosing(activity)
        wanted = self.process.passes[activity]
        if not self.present[activity]:
            return before
        if wanted is not None and self.later[loops[-1].end] != (wanted == "later"):
            return before
        self.visits[activity] += 1
        trip = self.process.trips[activity]
        place = len(self.steps)
        trip_place = self.begun_trips.setdefault(trip, place) if trip >= 0 else -1
        is_repeat = any(self.later[loop.end] for loop in loops)
        self.steps.append((activity, self.visits[activity], is_repeat, trip_place, before))
        return frozenset({place})


def _read_only(values: Sequence[object], dtype: type) -> np.ndarray:
    array: np.ndarray = np.array(values, dtype=dtype)
    array.flags.writeable = False
    return array
