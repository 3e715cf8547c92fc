"""Every draw of one replication, made before an engine starts.

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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sim.distributions import Constant, Distribution, whole_seconds
from sim.itinerary import Itinerary
from sim.plan import CELLS, NONE, Plan, PlannedArrivals, PlannedCaseType
from sim.returns import unroll_all
from sim.streams import Streams
from sim.timeline import NEVER, IntArray
from sim.workload import Workload


def draw_workload(plan: Plan, seed: int = 1, replication: int = 0) -> Workload:
    """Everything that happens by chance in one replication of a plan.

    The same plan, seed and replication give the same workload, and so do another plan's parts that
    have the same names.
    """
    streams = Streams(seed, replication)
    types = [_draw_cases(plan, index, streams) for index in range(len(plan.case_types))]
    counts = [len(cases.ordinal) for cases in types]
    num_cases = sum(counts)
    arrived_at = np.concatenate([cases.arrived_at for cases in types])
    order = _stable_order(arrived_at)
    offsets = np.cumsum([0, *(len(cases.itineraries) for cases in types)])
    itinerary = np.concatenate(
        [cases.itinerary + offset for cases, offset in zip(types, offsets, strict=False)]
    )
    itinerary = _put(itinerary, order)
    itineraries = tuple(itinerary for cases in types for itinerary in cases.itineraries)
    attributes = np.full(
        (num_cases, max(cases.attributes.shape[1] for cases in types)), NONE, dtype=np.int64
    )
    for cases, end in zip(types, np.cumsum(counts).tolist(), strict=True):
        rows, columns = cases.attributes.shape
        attributes[end - rows : end, :columns] = cases.attributes
    ordinal = _put(np.concatenate([cases.ordinal for cases in types]), order)
    lengths = np.array([it.num_steps for it in itineraries], dtype=np.int64)
    first_step = np.zeros(num_cases + 1, dtype=np.int64)
    np.cumsum(lengths[itinerary], out=first_step[1:])
    steps = _Steps(plan, int(first_step[-1]))
    first_activity = np.repeat(
        [case_type.first_activity for case_type in plan.case_types], np.diff(offsets)
    )
    for visit in _visits(itineraries, first_activity, itinerary, first_step, ordinal):
        steps.draw(plan, streams, visit)
    return Workload(
        replication=replication,
        seed=seed,
        case_type=_put(np.repeat(np.arange(len(types)), counts), order),
        ordinal=ordinal,
        arrived_at=_put(arrived_at, order),
        batch=(
            _put(np.concatenate([cases.batch for cases in types]), order)
            if has_batches(plan)
            else repeated(num_cases, NONE)
        ),
        priority=(
            _put(np.concatenate([cases.priority for cases in types]), order)
            if has_priorities(plan)
            else repeated(num_cases, plan.case_types[0].priorities[0])
        ),
        attributes=_put(attributes, order),
        itinerary=itinerary,
        first_step=first_step,
        itineraries=itineraries,
        first_activity=first_activity,
        step_time=steps.time,
        step_patience=steps.patience,
        step_come_day=steps.come_day,
        step_come_time=steps.come_time,
    )


def repeated(length: int, value: int) -> IntArray:
    """A read-only column of one number, without memory of its own."""
    return np.broadcast_to(np.int64(value), length)


def has_batches(plan: Plan) -> bool:
    """Whether any cases come together."""
    return any(comes_in_batches(case_type.arrivals) for case_type in plan.case_types)


def comes_in_batches(arrivals: PlannedArrivals) -> bool:
    """Whether cases come together."""
    return bool(arrivals.batch_sizes.tolist() != [1])


def has_priorities(plan: Plan) -> bool:
    """Whether some cases go before others."""
    return len({priority for t in plan.case_types for priority in t.priorities}) > 1


def has_patience(plan: Plan) -> bool:
    """Whether people leave who have waited too long."""
    return any(activity.patience is not None for activity in plan.activities)


def has_trips(plan: Plan) -> bool:
    """Whether anybody comes in."""
    return any(activity.trip != NONE for activity in plan.activities)


def _stable_order(values: np.ndarray) -> IntArray | None:
    """Indices in the order of the values, and of themselves where those are equal.

    None if they are in order.
    """
    if np.all(values[1:] >= values[:-1]):
        return None
    return np.argsort(values, kind="stable")


def _put(values: IntArray, order: IntArray | None) -> IntArray:
    """Values in this order."""
    return values if order is None else values.take(order, axis=0)


@dataclass(frozen=True, eq=False)
class _Cases:
    """The cases of one type, in the order of their draws."""

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
    attributes = np.empty((num_cases, len(case_type.attributes)), dtype=np.int64)
    for column, (name, _, shares) in enumerate(case_type.attributes):
        recorded = case_type.arrivals.recorded_attributes.get(column)
        if recorded is not None:
            attributes[:, column] = recorded
        else:
            u = streams.uniforms(num_cases, case_type.name, name, "attribute")
            attributes[:, column] = _choose(u, shares)
    arrived_at = _instants(case_type.arrivals, expected, attributes)
    ordinal = np.flatnonzero(arrived_at != NEVER)
    if len(ordinal) < num_cases:
        arrived_at, batch, attributes = arrived_at[ordinal], batch[ordinal], attributes[ordinal]
    if case_type.priority_attribute == NONE:
        priority = repeated(len(ordinal), case_type.priorities[0])
    else:
        priority = np.array(case_type.priorities)[attributes[:, case_type.priority_attribute]]
    itinerary, itineraries = unroll_all(plan, case_type, attributes, ordinal, streams)
    return _Cases(ordinal, arrived_at, batch, attributes, priority, itinerary, itineraries)


def _choose(u: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Indices drawn with these shares, one a uniform."""
    return np.searchsorted(upper_bounds(shares), u, side="right")


def upper_bounds(shares: np.ndarray) -> np.ndarray:
    """The uniform numbers below which each value or one before it is drawn."""
    bounds = np.cumsum(shares)
    bounds[-1] = 1.0
    return bounds


def _draw_arrivals(case_type: PlannedCaseType, streams: Streams) -> tuple[np.ndarray, IntArray]:
    """For each case the expected number of arrivals before it (or its instant), and its batch."""
    arrivals = case_type.arrivals
    if arrivals.rates:
        expected = poisson_process(most_expected(arrivals), streams, case_type.name)
    else:
        expected = arrivals.instants
    if not comes_in_batches(arrivals):
        return expected, repeated(len(expected), NONE)
    u = streams.uniforms(len(expected), case_type.name, "batch")
    sizes = arrivals.batch_sizes[_choose(u, arrivals.batch_shares)]
    return np.repeat(expected, sizes), np.repeat(np.arange(len(expected)), sizes)


def most_expected(arrivals: PlannedArrivals) -> float:
    """Expected arrivals to the end, with those that came before under another process."""
    return arrivals.before + max(rate.total for rate in arrivals.rates)


def poisson_process(total: float, streams: Streams, name: str) -> np.ndarray:
    """Points of a unit-rate Poisson process below `total`, by inversion of the gaps."""
    # Inversion of the cumulative rate, not thinning: thinning would use a different number of
    # draws in each scenario.
    generator = streams.generator(name, "arrivals")
    pieces = [np.zeros(1)]
    while (last := float(pieces[-1][-1])) < total:
        gaps = generator.random(points_at_once(total - last))
        np.negative(gaps, out=gaps)
        np.log1p(gaps, out=gaps)
        pieces.append(last - np.cumsum(gaps, out=gaps))
    points = np.concatenate(pieces[1:] or pieces)
    return points[: np.searchsorted(points, total)]


def points_at_once(expected: float) -> int:
    """How many points to draw so that they are hardly ever too few."""
    return int(expected + 6 * expected**0.5 + 16)


def _instants(arrivals: PlannedArrivals, expected: np.ndarray, attributes: IntArray) -> IntArray:
    """When each case arrives; NEVER for those of another process or beyond the horizon."""
    if not arrivals.rates:
        return expected
    expected = expected - arrivals.before
    if arrivals.by_attribute == NONE and not arrivals.before:
        return arrivals.rates[0].instants(expected)
    result = np.full(len(expected), NEVER, dtype=np.int64)
    for value, rate in enumerate(arrivals.rates):
        is_mine = (expected >= 0) & (expected < rate.total)
        if arrivals.by_attribute != NONE:
            is_mine &= attributes[:, arrivals.by_attribute] == value
        mine = np.flatnonzero(is_mine)
        result[mine] = rate.instants(expected[mine])
    return result


# --- steps ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Visit:
    """The steps in which cases come to one activity for the n-th time."""

    activity: int
    """Numbered through the hall."""
    number: int
    steps: IntArray
    ordinal: IntArray
    """Of their cases."""


def _visits(
    itineraries: Sequence[Itinerary],
    first_activity: IntArray,
    itinerary: IntArray,
    first_step: IntArray,
    ordinal: IntArray,
) -> Iterator[_Visit]:
    """All steps, by activity and visit."""
    # Small numbers are sorted by their digits, several times as fast.
    small = np.uint16 if len(itineraries) <= 2**16 else np.int64
    order = _stable_order(itinerary.astype(small))
    first_step, ordinal = _put(first_step[:-1], order), _put(ordinal, order)
    counts = np.bincount(itinerary, minlength=len(itineraries))
    ends = np.cumsum(counts)
    groups: dict[tuple[int, int], list[tuple[slice, int]]] = {}
    for first, it, begin, end in zip(
        first_activity.tolist(),
        itineraries,
        (ends - counts).tolist(),
        ends.tolist(),
        strict=True,
    ):
        cases = slice(begin, end)
        for place, which in enumerate(zip(it.activity.tolist(), it.visit.tolist(), strict=True)):
            groups.setdefault((first + which[0], which[1]), []).append((cases, place))
    for (activity, number), parts in groups.items():
        yield _Visit(
            activity,
            number,
            np.concatenate([first_step[cases] + place for cases, place in parts]),
            np.concatenate([ordinal[cases] for cases, _ in parts]),
        )


class _Steps:
    """What chance decides of the steps."""

    def __init__(self, plan: Plan, num_steps: int) -> None:
        self.time = np.zeros(num_steps, dtype=np.int64)
        self.patience = (np.full if has_patience(plan) else repeated)(num_steps, NEVER)
        self.come_day = (np.full if has_trips(plan) else repeated)(num_steps, 0)
        self.come_time = (np.full if has_trips(plan) else repeated)(num_steps, 0)

    def draw(self, plan: Plan, streams: Streams, visit: _Visit) -> None:
        """Fill in those of one visit, from one stream for each purpose."""
        activity = plan.activities[visit.activity]
        case_type = plan.case_types[activity.case_type].name
        count = int(visit.ordinal.max()) + 1

        def uniforms(purpose: str) -> np.ndarray:
            u = streams.uniforms(count, case_type, activity.name, purpose, visit.number)
            return u[visit.ordinal]

        def times(law: Distribution, purpose: str) -> IntArray:
            u = np.zeros(1) if isinstance(law, Constant) else uniforms(purpose)
            return whole_seconds(law.quantile(u))

        law = activity.service or activity.delay
        if law is not None:
            self.time[visit.steps] = times(law, "service")
        if activity.patience is not None:
            self.patience[visit.steps] = times(activity.patience, "patience")
        if activity.trip != NONE:
            self.come_day[visit.steps] = uniforms("come_day") * CELLS
            self.come_time[visit.steps] = uniforms("come_time") * CELLS
