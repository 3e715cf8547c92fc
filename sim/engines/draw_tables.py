"""What a compiled draw reads: a plan's chances as arrays, and laws as polynomials.

Lists of lists are joined: the entries of i are `x[x_begin[i]:x_begin[i + 1]]`. Random numbers are
whole numbers below 2**53: u is such a number, divided by that.

A law becomes a polynomial in each of CELLS_OF_LAW cells, which are the narrower the nearer u is to
0 or 1. It says the value closely enough to round it, unless that lies within MARGIN of a half; then
the law itself is asked, as in cells where no polynomial is close enough and for the few u that are
nearer to 0 or 1 than any cell. So times are exactly those of `draws`.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from sim.distributions import (
    Constant,
    Distribution,
    Empirical,
    Triangular,
    whole_seconds,
)
from sim.draws import (
    has_batches,
    has_patience,
    has_priorities,
    has_trips,
    most_expected,
    points_at_once,
    upper_bounds,
)
from sim.engines.columns import begins_of, int_column, joined
from sim.itinerary import Itinerary
from sim.memory import kept_by_plan
from sim.plan import NONE, Plan
from sim.timeline import NEVER, IntArray

FloatArray = npt.NDArray[np.float64]

UNIT: Final = 2.0**-53
"""Of a random number, as u."""
BITS_AT_ONCE: Final = 6
NUMBERS_AT_ONCE: Final = 2**BITS_AT_ONCE
KEY, AT_HAND, NUMBERS = 0, 2, 8
"""A stream: its key; which of its numbers it has at hand, counted NUMBERS_AT_ONCE; and those."""
STREAM: Final = NUMBERS + NUMBERS_AT_ONCE
PURPOSES: Final = ("service", "patience", "come_day", "come_time")
"""What is drawn at a visit."""

NUM_BRANCHES, NUM_LEAVES, WRITTEN, IS_IN_ORDER = range(4)
"""Counters of the draw of cases: see `draw_loops`."""
NUM_COUNTERS: Final = 4
TOO_FEW_POINTS, TOO_SMALL = -1, -2
DIGIT: Final = 13
"""Bits by which cases are sorted at once."""

OCTAVES: Final = 16
"""So often is u, or 1 - u, halved."""
CELL_BITS: Final = 3
"""Cells to an octave, as a power of 2."""
CELLS_OF_SIDE: Final = OCTAVES << CELL_BITS
CELLS_OF_LAW: Final = 2 * CELLS_OF_SIDE
ZEROS_IN_LOWEST_OCTAVE: Final = 64 - 53 + OCTAVES
"""So many bits of 64 are 0 before the highest of a number in it."""
TERMS: Final = 8
MARGIN: Final = 2.0**-16
"""Seconds, or days."""
TOLERANCE: Final = MARGIN / 16
LARGEST_VALUE: Final = 2.0**31

CONSTANT, SMOOTH = -1, 0
"""Kinds of law; a number above says from how many values one is taken."""
TIME, PATIENCE, COMES = 0, 3, 6
"""Facts of a place. Of time and patience: the kind of law; where its table begins, or the constant;
the stream of its numbers. Then the stream of the half-day in which a person comes, -1 for none; the
next one is that of the time."""
FACTS: Final = 7


class CaseTables(NamedTuple):
    """What is drawn for the cases of a plan."""

    num_types: int
    width: int
    """Most attributes of any type."""
    has_batches: bool
    most_cases: int
    most_values: int
    """Of attributes, of all those cases."""
    # case types
    points_begin: IntArray
    """Arrivals, or batches, that are known, or drawn at once."""
    rates_begin: IntArray
    by_attribute: IntArray
    earlier: FloatArray
    """Expected arrivals before those of this type, under another process."""
    total: FloatArray
    """The same, and those of the rate that has most."""
    sizes_begin: IntArray
    attributes_begin: IntArray
    loops_begin: IntArray
    most_branches: IntArray
    """Of a decision that tells itineraries apart; 1 if there is none."""
    # known arrivals, by point; 0 for those that are drawn
    instants: IntArray
    # rates
    rate_total: FloatArray
    pieces_begin: IntArray
    """In `before` each rate has one entry more."""
    starts: IntArray
    lengths: IntArray
    before: FloatArray
    # sizes of batches
    size: IntArray
    size_bound: FloatArray
    """Upper bounds of u, here and below."""
    # attributes
    bounds_begin: IntArray
    bound: FloatArray
    recorded_begin: IntArray
    """-1 for those that are drawn."""
    recorded: IntArray
    is_asked_for: IntArray
    """Whether activities depend on it."""
    # loops
    again: FloatArray
    parent: IntArray
    """The innermost loop around it."""
    conditions_begin: IntArray
    """Of the activity that ends it."""
    condition_column: IntArray
    condition_begin: IntArray
    condition_holds: IntArray
    """By value of the attribute."""


@kept_by_plan
def case_tables(plan: Plan) -> CaseTables:
    """The tables of a plan, made once for all its replications."""
    types = plan.case_types
    arrivals = [case_type.arrivals for case_type in types]
    totals = [most_expected(a) if a.rates else 0.0 for a in arrivals]
    num_points = [
        points_at_once(total) if a.rates else len(a.instants)
        for a, total in zip(arrivals, totals, strict=True)
    ]
    rates = [rate for a in arrivals for rate in a.rates]
    attributes = [attribute for case_type in types for attribute in case_type.attributes]
    asked = [{column for of in t.conditions for column, _ in of} for t in types]
    records = [
        t.arrivals.recorded_attributes.get(column)
        for t in types
        for column in range(len(t.attributes))
    ]
    record_begins = begins_of(0 if record is None else len(record) for record in records)
    loops_begin = begins_of(len(t.process.loops) for t in types)
    loops = [(t, loop) for t in types for loop in t.process.loops]
    conditions = [(t, t.conditions[loop.end]) for t, loop in loops]
    holds = [
        [value in wanted for value in range(len(t.attributes[column][1]))]
        for t, of_loop in conditions
        for column, wanted in of_loop
    ]
    most_cases = [
        count * int(a.batch_sizes.max()) for a, count in zip(arrivals, num_points, strict=True)
    ]
    return CaseTables(
        num_types=len(types),
        width=max(len(t.attributes) for t in types),
        has_batches=has_batches(plan),
        most_cases=sum(most_cases),
        most_values=sum(
            count * len(t.attributes) for t, count in zip(types, most_cases, strict=True)
        ),
        points_begin=begins_of(num_points),
        rates_begin=begins_of(len(a.rates) for a in arrivals),
        by_attribute=int_column(a.by_attribute for a in arrivals),
        earlier=_floats([[a.before for a in arrivals]]),
        total=_floats([totals]),
        sizes_begin=begins_of(len(a.batch_sizes) for a in arrivals),
        attributes_begin=begins_of(len(t.attributes) for t in types),
        loops_begin=loops_begin,
        most_branches=int_column(
            max(
                [2 if t.process.loops else 1, *(len(t.attributes[column][1]) for column in columns)]
            )
            for t, columns in zip(types, asked, strict=True)
        ),
        instants=joined(
            np.zeros(count, np.int64) if a.rates else a.instants
            for a, count in zip(arrivals, num_points, strict=True)
        ),
        rate_total=_floats([[rate.total for rate in rates]]),
        pieces_begin=begins_of(len(rate.starts) for rate in rates),
        starts=joined(rate.starts for rate in rates),
        lengths=joined(rate.ends - rate.starts for rate in rates),
        before=_floats(rate.before for rate in rates),
        size=joined(a.batch_sizes for a in arrivals),
        size_bound=_floats(upper_bounds(a.batch_shares) for a in arrivals),
        bounds_begin=begins_of(len(values) for _, values, _ in attributes),
        bound=_floats(upper_bounds(shares) for _, _, shares in attributes),
        recorded_begin=int_column(
            NONE if record is None else begin
            for record, begin in zip(records, record_begins.tolist(), strict=False)
        ),
        recorded=joined(record for record in records if record is not None),
        is_asked_for=int_column(
            column in columns
            for t, columns in zip(types, asked, strict=True)
            for column in range(len(t.attributes))
        ),
        again=_floats([[plan.activities[t.first_activity + loop.end].again for t, loop in loops]]),
        parent=int_column(
            begin + t.process.loops.index(outer) if (outer := t.process.parent(loop)) else NONE
            for t, begin in zip(types, loops_begin.tolist(), strict=False)
            for loop in t.process.loops
        ),
        conditions_begin=begins_of(len(of_loop) for _, of_loop in conditions),
        condition_column=int_column(column for _, of_loop in conditions for column, _ in of_loop),
        condition_begin=begins_of(map(len, holds)),
        condition_holds=int_column(itertools.chain.from_iterable(holds)),
    )


class OrderTables(NamedTuple):
    """What is known of cases as soon as they are drawn."""

    width: int
    has_batches: bool
    has_priorities: bool
    attributes_begin: IntArray
    priorities_begin: IntArray
    priority_attribute: IntArray
    priority: IntArray
    """By value of the attribute."""


@kept_by_plan
def order_tables(plan: Plan) -> OrderTables:
    """The tables of a plan, made once for all its replications."""
    types = plan.case_types
    return OrderTables(
        width=max(len(t.attributes) for t in types),
        has_batches=has_batches(plan),
        has_priorities=has_priorities(plan),
        attributes_begin=begins_of(len(t.attributes) for t in types),
        priorities_begin=begins_of(len(t.priorities) for t in types),
        priority_attribute=int_column(t.priority_attribute for t in types),
        priority=int_column(priority for t in types for priority in t.priorities),
    )


# --- laws ----------------------------------------------------------------------------------------


class LawTables(NamedTuple):
    """How laws are inverted."""

    coefficients: FloatArray
    """TERMS for each cell, CELLS_OF_LAW cells for each smooth law."""
    values: IntArray
    """Of the laws that are lists of values."""


class Laws(NamedTuple):
    """The laws of a plan."""

    laws: tuple[Distribution, ...]
    law_of: IntArray
    """(activities, 2): index of the law of times and of patience, -1 for none."""
    facts: IntArray
    """(activities, 2, 2): its kind and where its table begins."""
    tables: LawTables


@kept_by_plan
def laws_of(plan: Plan) -> Laws:
    """The laws of a plan, with tables that are made once for all its replications."""
    law_of = np.full((len(plan.activities), 2), NONE)
    facts = np.empty((len(plan.activities), 2, 2), np.int64)
    laws: dict[Distribution, int] = {}
    for i, activity in enumerate(plan.activities):
        drawn = ((activity.service or activity.delay, 0), (activity.patience, NEVER))
        for j, (law, otherwise) in enumerate(drawn):
            if law is None:
                facts[i, j] = CONSTANT, otherwise
            elif isinstance(law, Constant):
                facts[i, j] = CONSTANT, whole_seconds(np.array(law.value))
            else:
                law_of[i, j] = laws.setdefault(law, len(laws))
    kinds: list[tuple[int, int]] = []
    coefficients: list[FloatArray] = []
    values: list[IntArray] = []
    for law in laws:
        if isinstance(law, Empirical):
            kinds.append((len(law.values), sum(map(len, values))))
            values.append(whole_seconds(np.array(law.values)))
        else:
            kinds.append((SMOOTH, len(coefficients) * CELLS_OF_LAW * TERMS))
            coefficients.append(polynomials(law).ravel())  # type: ignore[arg-type]
    if laws:
        facts[law_of != NONE] = np.array(kinds)[law_of[law_of != NONE]]
    return Laws(tuple(laws), law_of, facts, LawTables(_floats(coefficients), joined(values)))


@functools.lru_cache(maxsize=256)
def polynomials(law: Distribution) -> FloatArray:
    """(CELLS_OF_LAW, TERMS): coefficients of the value, lowest first.

    The argument goes from -1/2 to 1/2. A cell in which no polynomial comes within TOLERANCE is a
    half, which nobody may round.
    """
    nodes = np.cos((np.arange(TERMS) + 0.5) * np.pi / TERMS) / 2
    extremes = np.cos(np.arange(TERMS + 1) * np.pi / TERMS) / 2
    at_nodes = law.quantile(_uniforms(nodes))
    coefficients: FloatArray = at_nodes @ np.linalg.inv(np.vander(nodes, increasing=True)).T
    wanted = law.quantile(_uniforms(extremes))
    found = coefficients @ np.vander(extremes, TERMS, increasing=True).T
    is_close = (np.abs(found - wanted) < TOLERANCE).all(axis=1)
    is_close &= (wanted < LARGEST_VALUE).all(axis=1)
    if isinstance(law, Triangular) and law.low < law.high:
        bend = (law.mode - law.low) / (law.high - law.low)
        ends = _uniforms(np.array([-0.5, 0.5]))
        is_close &= (bend < ends.min(axis=1)) | (bend > ends.max(axis=1))
    coefficients[~is_close] = 0
    coefficients[~is_close, 0] = 0.5
    return coefficients


def _uniforms(places: np.ndarray) -> np.ndarray:
    """Numbers at these places of every cell, from -1/2 to 1/2: (CELLS_OF_LAW, places)."""
    octave, cell = np.divmod(np.arange(CELLS_OF_SIDE), 1 << CELL_BITS)
    share = (cell[:, None] + places + 0.5) / (1 << CELL_BITS)
    near_0 = (1 + share) * 2.0 ** (octave[:, None] - OCTAVES - 1)
    return np.concatenate((near_0, 1 - 2.0**-53 - near_0))


# --- steps ---------------------------------------------------------------------------------------


class PlaceTables(NamedTuple):
    """What is drawn at each place of the joined itineraries."""

    has_patience: bool
    has_trips: bool
    """Whether any activity of the plan has one."""
    begin: IntArray
    """Of each itinerary."""
    activity: IntArray
    facts: IntArray
    """FACTS entries for each place."""


@functools.lru_cache(maxsize=8)
def place_tables(
    plan: Plan, itineraries: tuple[Itinerary, ...], first_activity: tuple[int, ...]
) -> tuple[PlaceTables, list[tuple[int, int]]]:
    """The tables of these itineraries, and their visits: activity and number.

    Each visit has the streams of `PURPOSES`, visit after visit.
    """
    lengths = [it.num_steps for it in itineraries]
    activity = joined(it.activity for it in itineraries)
    activity = activity + np.repeat(int_column(first_activity), lengths)
    visit = joined(it.visit for it in itineraries)
    most = int(visit.max(initial=0)) + 1
    code = activity * most + visit
    codes = np.sort(code)  # not np.unique, which imports masked arrays
    codes = codes[np.diff(codes, prepend=-1) > 0]
    which = np.searchsorted(codes, code)
    stream = which * (len(PURPOSES) * STREAM)
    has_trip = np.array([a.trip != NONE for a in plan.activities])
    facts = np.empty((len(activity), FACTS), np.int64)
    facts[:, TIME : TIME + 2] = laws_of(plan).facts[activity, 0]
    facts[:, TIME + 2] = stream
    facts[:, PATIENCE : PATIENCE + 2] = laws_of(plan).facts[activity, 1]
    facts[:, PATIENCE + 2] = stream + STREAM
    facts[:, COMES] = np.where(has_trip[activity], stream + 2 * STREAM, NONE)
    tables = PlaceTables(
        has_patience=has_patience(plan),
        has_trips=has_trips(plan),
        begin=begins_of(lengths),
        activity=int_column(activity),
        facts=int_column(facts.ravel()),
    )
    return tables, [divmod(code, most) for code in codes.tolist()]


def _floats(arrays: Iterable[npt.ArrayLike]) -> FloatArray:
    column = np.concatenate([np.zeros(0), *map(np.asarray, arrays)])
    column.flags.writeable = False
    return column
