"""The workload: every draw of one replication, made before an engine starts.

Randomness is data here: two scenarios that share names share their luck, a recorded day can stand
in for a drawn one, and two engines given the same workload must give the same log.

The map of streams. A stream is named by the seed, the replication and

    case type, "arrivals"                      unit-rate Poisson process, mapped through the rate
    case type, "batch"                         size of the n-th batch
    case type, attribute, "attribute"          value for the n-th case
    case type, activity, "again", visit        is the n-th case sent back at this visit?
    case type, activity, "service", visit      how long (also for a delay)
    case type, activity, "come_day", visit     how many half-days go by until the person comes
    case type, activity, "come_time", visit    when within the half-day
    case type, activity, "patience", visit     how long the person is willing to wait

and its n-th number belongs to the n-th case of the type in order of arrival (before the hours of
its channel are applied). Nothing depends on positions in the file or on the order of use, so adding
an activity, a pool or a case type moves no other draw. Every value is one uniform, inverted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim.distributions import Constant, Distribution, whole_seconds
from sim.itinerary import Itinerary, Loop, Process, unroll
from sim.plan import CELLS, NONE, Plan, PlannedActivity, PlannedArrivals, PlannedCaseType
from sim.timeline import NEVER, BoolArray, IntArray


@dataclass(frozen=True, eq=False)
class Workload:
    """All that happens by chance in one replication.

    Cases are numbered by arrival; at the same instant, by case type as in the file, then in the
    order in which they were drawn. Case i has the steps first_step[i] .. first_step[i + 1] - 1.
    """

    replication: int
    seed: int
    # one entry a case
    case_type: IntArray
    ordinal: IntArray
    """Number within the case type: which of the type's draws are this case's."""
    arrived_at: IntArray
    batch: IntArray
    """Number of the batch within the case type, -1 for cases that come alone."""
    priority: IntArray
    attributes: IntArray
    """(num_cases, most attributes of any type): values by index, -1 where there is none."""
    itinerary: IntArray
    """Index into `itineraries`."""
    first_step: IntArray
    """One entry more than cases."""
    itineraries: tuple[Itinerary, ...]
    # one entry a step
    step_case: IntArray
    step_activity: IntArray
    """Activity numbered through the hall."""
    step_visit: IntArray
    """How often the case has come to the activity, from 1."""
    step_is_repeat: BoolArray
    """In a later pass of a loop."""
    step_time: IntArray
    """Service or delay: seconds, or working days for a delay on that clock."""
    step_patience: IntArray
    """Seconds, NEVER for unlimited."""
    step_come_day: IntArray
    step_come_time: IntArray
    """Draws in [0, CELLS) for when the person comes."""

    @property
    def num_cases(self) -> int:
        """How many cases arrive."""
        return len(self.case_type)

    @property
    def num_steps(self) -> int:
        """How many steps they have in all."""
        return len(self.step_case)


class Streams:
    """Uniform numbers in [0, 1) by name, for one seed and replication."""

    def __init__(self, seed: int, replication: int) -> None:
        self._prefix = f"{seed}/{replication}/"

    def generator(self, *name: object) -> np.random.Generator:
        """A generator of its own for this name."""
        # A cryptographic hash of the name keys a counter-based generator: no two names share a
        # stream, and no stream depends on which others are used.
        text = self._prefix + "/".join(map(str, name))
        key = hashlib.blake2b(text.encode(), digest_size=16).digest()
        return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))

    def uniforms(self, count: int, *name: object) -> np.ndarray:
        """The first `count` numbers of a stream, float64."""
        return self.generator(*name).random(count)


def draw_workload(plan: Plan, seed: int = 1, replication: int = 0) -> Workload:
    """Everything that happens by chance in one replication of a plan.

    The same plan, seed and replication give the same workload, and so do another plan's parts that
    have the same names.
    """
    streams = Streams(seed, replication)
    types = [_draw_cases(plan, index, streams) for index in range(len(plan.case_types))]
    width = max(len(case_type.attributes) for case_type in plan.case_types)
    arrived_at = np.concatenate([cases.arrived_at for cases in types])
    case_type = np.repeat(np.arange(len(types)), [len(cases.arrived_at) for cases in types])
    ordinal = np.concatenate([cases.ordinal for cases in types])
    order = np.lexsort((ordinal, case_type, arrived_at))
    offsets = np.cumsum([0, *(len(cases.itineraries) for cases in types)])
    itinerary = np.concatenate(
        [cases.itinerary + offset for cases, offset in zip(types, offsets, strict=False)]
    )[order]
    itineraries = tuple(itinerary for cases in types for itinerary in cases.itineraries)
    attributes = np.concatenate(
        [np.pad(c.attributes, ((0, 0), (0, width - c.attributes.shape[1])), constant_values=NONE)
         for c in types]
    )[order]  # fmt: skip
    case_type, ordinal = case_type[order], ordinal[order]
    lengths = np.array([it.num_steps for it in itineraries], dtype=np.int64)
    first_step = np.concatenate(([0], np.cumsum(lengths[itinerary])))
    steps = _Steps.lay_out(plan, case_type, itinerary, itineraries, first_step)
    steps.draw(plan, streams, ordinal, [cases.num_drawn for cases in types])
    return Workload(
        replication=replication,
        seed=seed,
        case_type=case_type,
        ordinal=ordinal,
        arrived_at=arrived_at[order],
        batch=np.concatenate([cases.batch for cases in types])[order],
        priority=np.concatenate([cases.priority for cases in types])[order],
        attributes=attributes,
        itinerary=itinerary,
        first_step=first_step,
        itineraries=itineraries,
        step_case=steps.case,
        step_activity=steps.activity,
        step_visit=steps.visit,
        step_is_repeat=steps.is_repeat,
        step_time=steps.time,
        step_patience=steps.patience,
        step_come_day=steps.come_day,
        step_come_time=steps.come_time,
    )


@dataclass(frozen=True, eq=False)
class _Cases:
    """The cases of one type, in the order of their draws."""

    num_drawn: int
    """How many were drawn, with those that the horizon cuts off."""
    ordinal: IntArray
    arrived_at: IntArray
    batch: IntArray
    attributes: IntArray
    priority: IntArray
    itinerary: IntArray
    itineraries: tuple[Itinerary, ...]


def _draw_cases(plan: Plan, index: int, streams: Streams) -> _Cases:
    case_type = plan.case_types[index]
    expected, batch = _draw_arrivals(case_type, streams)
    num_cases = len(batch)
    attributes = np.full((num_cases, len(case_type.attributes)), NONE, dtype=np.int64)
    for column, (name, _, shares) in enumerate(case_type.attributes):
        recorded = case_type.arrivals.recorded_attributes.get(column)
        if recorded is not None:
            attributes[:, column] = recorded
        else:
            u = streams.uniforms(num_cases, case_type.name, name, "attribute")
            attributes[:, column] = _choose(u, shares)
    arrived_at = _instants(case_type.arrivals, expected, attributes)
    kept = arrived_at != NEVER
    itinerary, itineraries = _unroll_all(plan, case_type, attributes, streams)
    used, itinerary = np.unique(itinerary[kept], return_inverse=True)
    if case_type.priority_attribute == NONE:
        priority = np.full(num_cases, case_type.priorities[0], dtype=np.int64)
    else:
        priority = np.array(case_type.priorities)[attributes[:, case_type.priority_attribute]]
    return _Cases(
        num_drawn=num_cases,
        ordinal=np.flatnonzero(kept),
        arrived_at=arrived_at[kept],
        batch=batch[kept],
        attributes=attributes[kept],
        priority=priority[kept],
        itinerary=itinerary,
        itineraries=tuple(itineraries[i] for i in used),
    )


def _choose(u: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Indices drawn with these shares, one a uniform."""
    bounds = np.cumsum(shares)
    bounds[-1] = 1.0
    return np.searchsorted(bounds, u, side="right")


def _draw_arrivals(case_type: PlannedCaseType, streams: Streams) -> tuple[np.ndarray, IntArray]:
    """For each case the expected number of arrivals before it (or its instant), and its batch."""
    arrivals = case_type.arrivals
    if arrivals.rates:
        expected = _poisson_process(
            max(rate.total for rate in arrivals.rates), streams, case_type.name
        )
    else:
        expected = arrivals.instants
    if len(arrivals.batch_sizes) == 1 and arrivals.batch_sizes[0] == 1:
        return expected, np.full(len(expected), NONE, dtype=np.int64)
    u = streams.uniforms(len(expected), case_type.name, "batch")
    sizes = arrivals.batch_sizes[_choose(u, arrivals.batch_shares)]
    return np.repeat(expected, sizes), np.repeat(np.arange(len(expected)), sizes)


def _poisson_process(total: float, streams: Streams, name: str) -> np.ndarray:
    """Points of a unit-rate Poisson process below `total`, by inversion of the gaps."""
    # Inversion of the cumulative rate, not thinning: thinning would use a different number of
    # draws in each scenario.
    generator = streams.generator(name, "arrivals")
    points = np.zeros(1)
    while points[-1] < total:
        remaining = total - points[-1]
        gaps = -np.log1p(-generator.random(int(remaining + 6 * remaining**0.5 + 16)))
        points = np.concatenate((points, points[-1] + np.cumsum(gaps)))
    return points[1:][points[1:] < total]


def _instants(arrivals: PlannedArrivals, expected: np.ndarray, attributes: IntArray) -> IntArray:
    """When each case arrives; NEVER for those that the horizon cuts off."""
    if not arrivals.rates:
        return expected
    result = np.full(len(expected), NEVER, dtype=np.int64)
    for value, rate in enumerate(arrivals.rates):
        mine = expected < rate.total
        if arrivals.by_attribute != NONE:
            mine &= attributes[:, arrivals.by_attribute] == value
        result[mine] = rate.instants(expected[mine])
    return result


def _unroll_all(
    plan: Plan, case_type: PlannedCaseType, attributes: IntArray, streams: Streams
) -> tuple[IntArray, list[Itinerary]]:
    """The itinerary of each case; cases of the same attributes and returns share one."""
    num_cases = len(attributes)
    if num_cases == 0:
        return np.zeros(0, dtype=np.int64), []
    process = case_type.process
    present = np.ones((num_cases, process.num_activities), dtype=bool)
    for activity, conditions in enumerate(case_type.conditions):
        for column, values in conditions:
            present[:, activity] &= np.isin(attributes[:, column], list(values))
    visits: dict[int, IntArray] = {}
    outcomes: dict[int, BoolArray] = {}
    for loop in process.loops:
        end = loop.end
        sender = plan.activities[case_type.first_activity + end]
        passes = np.where(present[:, end], _passes_around(process, loop, visits, present), 0)
        outcomes[end] = _draw_returns(streams, case_type.name, sender, passes)
        visits[end] = passes + outcomes[end].sum(axis=1)
    key = np.packbits(np.concatenate([present, *outcomes.values()], axis=1), axis=1)
    _, representatives, itinerary = np.unique(
        np.ascontiguousarray(key).view(np.dtype((np.void, key.shape[1]))).ravel(),
        return_index=True,
        return_inverse=True,
    )
    itineraries = [
        unroll(
            process,
            present[case].tolist(),
            {
                end: outcomes[end][case, : visits[end][case]].tolist()
                for end in outcomes
                if present[case, end]
            },
        )
        for case in representatives.tolist()
    ]
    return itinerary, itineraries


def _passes_around(
    process: Process, loop: Loop, visits: dict[int, IntArray], present: BoolArray
) -> IntArray:
    """For each case, how often it comes into a loop from outside: once a pass of the outer loop."""
    outer = process.parent(loop)
    if outer is None:
        return np.ones(len(present), dtype=np.int64)
    further_out = _passes_around(process, outer, visits, present)
    return np.where(present[:, outer.end], visits.get(outer.end, 1), further_out)


def _draw_returns(
    streams: Streams, case_type: str, activity: PlannedActivity, passes: IntArray
) -> BoolArray:
    """Whether each case is sent back at its n-th visit, (num_cases, most visits).

    A case comes in `passes` times and stays each time until it is not sent back.
    """
    remaining = passes.copy()
    columns = [np.zeros(len(passes), dtype=bool)]
    while remaining.any():
        visit = len(columns)
        u = streams.uniforms(len(passes), case_type, activity.name, "again", visit)
        columns.append((remaining > 0) & (u < activity.again))
        remaining -= (remaining > 0) & ~columns[-1]
    return np.stack(columns[1:] or columns, axis=1)


@dataclass(frozen=True, eq=False)
class _Steps:
    """The steps of all cases, case by case in the order of their itineraries."""

    case: IntArray
    activity: IntArray
    visit: IntArray
    is_repeat: BoolArray
    time: IntArray
    patience: IntArray
    come_day: IntArray
    come_time: IntArray

    @classmethod
    def lay_out(
        cls,
        plan: Plan,
        case_type: IntArray,
        itinerary: IntArray,
        itineraries: tuple[Itinerary, ...],
        first_step: IntArray,
    ) -> _Steps:
        """The steps, nothing drawn yet."""
        num_steps = int(first_step[-1])
        first_activity = np.array([t.first_activity for t in plan.case_types])
        activity_of = [it.activity for it in itineraries] or [np.zeros(0, dtype=np.int32)]
        visit_of = [it.visit for it in itineraries] or [np.zeros(0, dtype=np.int32)]
        is_repeat_of = [it.is_repeat for it in itineraries] or [np.zeros(0, dtype=bool)]
        begins = np.concatenate(([0], np.cumsum([len(a) for a in activity_of])))
        lengths = np.diff(first_step)
        case = np.repeat(np.arange(len(case_type)), lengths)
        # The place of a step plus where its itinerary begins in the joined itineraries.
        source = np.arange(num_steps) + np.repeat(begins[itinerary] - first_step[:-1], lengths)
        return cls(
            case=case,
            activity=np.concatenate(activity_of)[source] + first_activity[case_type[case]],
            visit=np.concatenate(visit_of)[source],
            is_repeat=np.concatenate(is_repeat_of)[source],
            time=np.zeros(num_steps, dtype=np.int64),
            patience=np.full(num_steps, NEVER, dtype=np.int64),
            come_day=np.zeros(num_steps, dtype=np.int64),
            come_time=np.zeros(num_steps, dtype=np.int64),
        )

    def draw(
        self, plan: Plan, streams: Streams, ordinal: IntArray, num_cases: Sequence[int]
    ) -> None:
        """Fill in what chance decides, one stream for each activity, visit and purpose."""
        if not len(self.case):
            return
        most_visits = int(self.visit.max()) + 1
        code = self.activity * most_visits + self.visit
        order = np.argsort(code, kind="stable")
        codes, begins = np.unique(code[order], return_index=True)
        for group, steps in zip(codes.tolist(), np.split(order, begins[1:]), strict=True):
            number, visit = divmod(group, most_visits)
            activity = plan.activities[number]
            name = (plan.case_types[activity.case_type].name, activity.name)
            mine = ordinal[self.case[steps]]

            def uniforms(purpose: str) -> np.ndarray:
                count = num_cases[activity.case_type]  # noqa: B023 (called within the pass)
                return streams.uniforms(count, *name, purpose, visit)[mine]  # noqa: B023

            def times(law: Distribution, purpose: str) -> IntArray:
                u = mine if isinstance(law, Constant) else uniforms(purpose)  # noqa: B023
                return whole_seconds(law.quantile(u))

            law = activity.service or activity.delay
            if law is not None:
                self.time[steps] = times(law, "service")
            if activity.patience is not None:
                self.patience[steps] = times(activity.patience, "patience")
            if activity.trip != NONE:
                self.come_day[steps] = uniforms("come_day") * CELLS
                self.come_time[steps] = uniforms("come_time") * CELLS
