"""The loops of the compiled draw: what `draws` defines, over the tables of a plan.

Each number is the n-th of a stream (`draw_numbers`), for the n-th case.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from llvmlite import ir
from numba import types
from numba.cpython.unsafe.numbers import leading_zeros
from numba.extending import intrinsic

from sim.engines.compiling import closely, compiled, inlined
from sim.engines.draw_numbers import make_numbers
from sim.engines.draw_numbers import number as number_of
from sim.engines.draw_tables import (
    BITS_AT_ONCE,
    CELL_BITS,
    CELLS_OF_SIDE,
    COMES,
    CONSTANT,
    DIGIT,
    FACTS,
    IS_IN_ORDER,
    MARGIN,
    NUM_BRANCHES,
    NUM_LEAVES,
    NUMBERS,
    NUMBERS_AT_ONCE,
    PATIENCE,
    SMOOTH,
    STREAM,
    TERMS,
    TIME,
    TOO_FEW_POINTS,
    TOO_SMALL,
    UNIT,
    WRITTEN,
    ZEROS_IN_LOWEST_OCTAVE,
)
from sim.plan import CELLS, NONE
from sim.timeline import NEVER

CELL_SHIFT = 53 - CELLS.bit_length() + 1
"""From a number to one in [0, CELLS)."""
ROUND = 1.5 * 2.0**52
"""Added to a number, leaves no room for its fraction."""
BITS_OF_1, BITS_OF_ROUND = (int(np.float64(value).view(np.int64)) for value in (1.0, ROUND))


# --- bits ----------------------------------------------------------------------------------------


@intrinsic
@no_type_check  # numba's own parts have no types
def _bits_of(context, value):
    """The bits of a float64 as an int64."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


@intrinsic
@no_type_check
def _float_of(context, bits):
    """The float64 of these bits."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


# --- cases ---------------------------------------------------------------------------------------


@inlined
def _choose(bounds, begin, number):  # type: ignore[no-untyped-def]
    """Which of some values is drawn."""
    u, choice = number * UNIT, 0
    while bounds[begin + choice] <= u:
        choice += 1
    return choice


@inlined
def _instant(tables, rate, piece, expected):  # type: ignore[no-untyped-def]
    """As `CumulativeRate.instants`, for numbers of which none is below the one before."""
    before = tables.pieces_begin[rate] + rate
    i = piece[rate]
    while tables.before[before + i + 1] <= expected:
        i += 1
    piece[rate] = i
    least, most = tables.before[before + i], tables.before[before + i + 1]
    share = (expected - least) / (most - least)
    i += tables.pieces_begin[rate]
    length = tables.lengths[i]
    return tables.starts[i] + min(np.int64(share * length), length - 1)


@compiled
def draw_gaps(gaps):  # type: ignore[no-untyped-def]
    """Minus the numbers from which the gaps between arrivals follow."""
    for t in range(gaps.num_types):
        first, end = gaps.points_begin[t], gaps.points_begin[t + 1]
        if gaps.rates_begin[t] == gaps.rates_begin[t + 1]:
            for i in range(first, end):
                gaps.gaps[i] = 0.0
            continue
        stream = t * STREAM
        for i in range(first, end, NUMBERS_AT_ONCE):
            make_numbers(gaps.streams, stream, (i - first) >> BITS_AT_ONCE)
            for j in range(min(NUMBERS_AT_ONCE, end - i)):
                gaps.gaps[i + j] = gaps.streams[stream + NUMBERS + j] * -UNIT
    return np.int64(0)


@compiled
def draw_cases(tables, draft, cases):  # type: ignore[no-untyped-def]
    """Draw the cases; how many there are, or why they could not be drawn."""
    streams, is_in_order = draft.streams, True
    row = values = latest = np.int64(0)
    for t in range(tables.num_types):
        first_point, first_rate = tables.points_begin[t], tables.rates_begin[t]
        has_rates = first_rate < tables.rates_begin[t + 1]
        first_size = tables.sizes_begin[t]
        has_sizes = tables.sizes_begin[t + 1] - first_size > 1
        is_single = not has_sizes and tables.size[first_size] == 1
        first_attribute = tables.attributes_begin[t]
        num_attributes = tables.attributes_begin[t + 1] - first_attribute
        root = draft.counters[NUM_BRANCHES]
        draft.counters[NUM_BRANCHES] += tables.most_branches[t]
        cases.values_begin[t] = values - row * num_attributes
        ordinal, sum_of_gaps, is_over = np.int64(0), 0.0, not has_rates
        earlier = tables.earlier[t]
        for point in range(first_point, tables.points_begin[t + 1]):
            expected = 0.0
            if has_rates:
                sum_of_gaps += draft.gaps[point]
                expected = -sum_of_gaps
                if expected >= tables.total[t]:
                    is_over = True
                    break
            size = tables.size[first_size]
            if has_sizes:
                stream = (tables.num_types + t) * STREAM
                number = number_of(streams, stream, point - first_point)
                size = tables.size[first_size + _choose(tables.size_bound, first_size, number)]
            if expected < earlier:
                ordinal += size
                continue
            expected -= earlier
            for n in range(ordinal, ordinal + size):
                for a in range(num_attributes):
                    cases.attributes[values + a] = _attribute(
                        tables, streams, first_attribute + a, n
                    )
                if has_rates:
                    rate = first_rate
                    if tables.by_attribute[t] != NONE:
                        rate += cases.attributes[values + tables.by_attribute[t]]
                        if expected >= tables.rate_total[rate]:
                            continue
                    at = _instant(tables, rate, draft.piece, expected)
                else:
                    at = tables.instants[point]
                    if at == NEVER:
                        continue
                leaf = _leaf(tables, draft, cases, t, root, values, n)
                if leaf == NONE:
                    return np.int64(TOO_SMALL)
                is_in_order &= at >= latest
                latest = at
                cases.ordinal[row] = n
                cases.arrived_at[row] = at
                if tables.has_batches:
                    cases.batch[row] = NONE if is_single else point - first_point
                cases.itinerary[row] = leaf
                row += 1
                values += num_attributes
            ordinal += size
        if not is_over:
            return np.int64(TOO_FEW_POINTS)
    draft.counters[IS_IN_ORDER] = is_in_order
    return row


@inlined
def _attribute(tables, streams, attribute, n):  # type: ignore[no-untyped-def]
    """The value of an attribute for the n-th case."""
    recorded = tables.recorded_begin[attribute]
    if recorded != NONE:
        return tables.recorded[recorded + n]
    number = number_of(streams, (2 * tables.num_types + attribute) * STREAM, n)
    return _choose(tables.bound, tables.bounds_begin[attribute], number)


@inlined
def _leaf(tables, draft, cases, t, root, values, n):  # type: ignore[no-untyped-def]
    """The number of the leaf in which cases of the same attributes and returns meet.

    A node of the tree of decisions is where its branches begin, and a branch is the node that it
    leads to, 0 if nobody has come there yet. The first branch of a leaf is its number, from 1.
    NONE if there is no room, or too few streams.
    """
    node, num_returns = root, np.int64(0)
    fan = tables.most_branches[t]
    first_loop, after_loops = tables.loops_begin[t], tables.loops_begin[t + 1]
    if fan > 1:
        first_attribute = tables.attributes_begin[t]
        for a in range(tables.attributes_begin[t + 1] - first_attribute):
            if tables.is_asked_for[first_attribute + a]:
                node = _branch(draft, node + cases.attributes[values + a], fan)
        for loop in range(first_loop, after_loops):
            stream, again = draft.first_return[loop], tables.again[loop]
            passes = _passes(tables, draft, cases, loop, values)
            draft.visits[loop] = 0
            while passes > 0:
                if stream == draft.first_return[loop + 1]:
                    return NONE
                is_sent_back = np.int64(number_of(draft.streams, stream, n) * UNIT < again)
                node = _branch(draft, node + is_sent_back, fan)
                stream += STREAM
                passes -= 1 - is_sent_back
                draft.visits[loop] += 1
                draft.returns[num_returns] = is_sent_back
                num_returns += 1
    if draft.branches[node] == 0:
        if not _write_leaf(tables, draft, cases, t, values, num_returns):
            return NONE
        draft.branches[node] = draft.counters[NUM_LEAVES]
    return draft.branches[node] - 1


@inlined
def _branch(draft, branch, fan):  # type: ignore[no-untyped-def]
    """The node that a branch leads to."""
    if draft.branches[branch] == 0:
        draft.branches[branch] = draft.counters[NUM_BRANCHES]
        draft.counters[NUM_BRANCHES] += fan
    return draft.branches[branch]


@compiled
def _write_leaf(tables, draft, cases, t, values, num_returns):  # type: ignore[no-untyped-def]
    """Write down a leaf, if there is room.

    That is how many numbers it takes with this one; case type; values of the attributes that are
    asked for; visits to the end of each loop; and of each visit whether the case is sent back.
    """
    count, first_attribute = draft.counters, tables.attributes_begin[t]
    num_attributes = tables.attributes_begin[t + 1] - first_attribute
    num_loops = tables.loops_begin[t + 1] - tables.loops_begin[t]
    begin = count[WRITTEN]
    if begin + 2 + num_attributes + num_loops + num_returns > draft.room:
        return False
    if count[NUM_BRANCHES] > draft.room:
        return False
    draft.leaves[begin + 1] = t
    at = begin + 2
    for a in range(num_attributes):
        if tables.is_asked_for[first_attribute + a]:
            draft.leaves[at] = cases.attributes[values + a]
            at += 1
    for i in range(num_loops):
        draft.leaves[at + i] = draft.visits[tables.loops_begin[t] + i]
    at += num_loops
    for i in range(num_returns):
        draft.leaves[at + i] = draft.returns[i]
    count[WRITTEN] = at + num_returns
    count[NUM_LEAVES] += 1
    draft.leaves[begin] = count[WRITTEN] - begin
    return True


@inlined
def _passes(tables, draft, cases, loop, values):  # type: ignore[no-untyped-def]
    """How often a case comes into a loop from outside."""
    for i in range(tables.conditions_begin[loop], tables.conditions_begin[loop + 1]):
        value = cases.attributes[values + tables.condition_column[i]]
        if not tables.condition_holds[tables.condition_begin[i] + value]:
            return np.int64(0)
    outer = tables.parent[loop]
    while outer != NONE and draft.visits[outer] == 0:
        outer = tables.parent[outer]
    return np.int64(1) if outer == NONE else draft.visits[outer]


# --- their order ---------------------------------------------------------------------------------


@compiled
def _order(values, count, digits, order, spare):  # type: ignore[no-untyped-def]
    """Indices in the order of the values, and of themselves where those are equal."""
    largest = np.int64(0)
    for i in range(count):
        largest = max(largest, values[i])
        order[i] = i
    shift = 0
    while largest >> shift:
        for digit in range(2**DIGIT):
            digits[digit] = 0
        for i in range(count):
            digits[(values[i] >> shift) & (2**DIGIT - 1)] += 1
        before = np.int64(0)
        for digit in range(2**DIGIT):
            before, digits[digit] = before + digits[digit], before
        for i in range(count):
            digit = (values[order[i]] >> shift) & (2**DIGIT - 1)
            spare[digits[digit]] = order[i]
            digits[digit] += 1
        order, spare = spare, order
        shift += DIGIT
    return order


@compiled
def lay_out(tables, places, cases, layout):  # type: ignore[no-untyped-def]
    """Put the cases in order; how many steps they have."""
    count, is_in_order = layout.num_cases, layout.is_in_order
    order = layout.order
    if not is_in_order:
        order = _order(cases.arrived_at, count, layout.digits, order, layout.spare)
    step = np.int64(0)
    for i in range(count):
        row = i if is_in_order else order[i]
        itinerary = layout.number[cases.itinerary[row]]
        t = layout.type_of[itinerary]
        cases.itinerary[row] = itinerary
        layout.case_type[i] = t
        layout.first_step[i] = layout.first_step_as_drawn[row] = step
        step += places.begin[itinerary + 1] - places.begin[itinerary]
        if not is_in_order:
            layout.itinerary[i] = itinerary
            layout.ordinal[i] = cases.ordinal[row]
            layout.arrived_at[i] = cases.arrived_at[row]
            if tables.has_batches:
                layout.batch[i] = cases.batch[row]
        num_attributes = tables.attributes_begin[t + 1] - tables.attributes_begin[t]
        values = cases.values_begin[t] + row * num_attributes
        if tables.has_priorities:
            priority, attribute = tables.priorities_begin[t], tables.priority_attribute[t]
            if attribute != NONE:
                priority += cases.attributes[values + attribute]
            layout.priority[i] = tables.priority[priority]
        if not layout.has_values:
            for a in range(tables.width):
                value = cases.attributes[values + a] if a < num_attributes else NONE
                layout.attributes[i * tables.width + a] = value
    layout.first_step[count] = step
    return step


# --- steps ---------------------------------------------------------------------------------------


@compiled
def draw_steps(laws, places, steps):  # type: ignore[no-untyped-def]
    """Fill in what chance decides of the steps; how many times are left to their laws."""
    num_left, streams, facts = np.int64(0), steps.streams, places.facts
    for row in range(steps.num_cases):
        itinerary, n = steps.itinerary[row], steps.ordinal[row]
        step, fact = steps.first_step[row], places.begin[itinerary] * FACTS
        while fact < places.begin[itinerary + 1] * FACTS:
            time = _time(laws, streams, facts, fact + TIME, n)
            steps.time[step] = time
            if time < 0:
                steps.left[num_left] = 2 * step
                num_left += 1
            if places.has_patience:
                patience = _time(laws, streams, facts, fact + PATIENCE, n)
                steps.patience[step] = patience
                if patience < 0:
                    steps.left[num_left] = 2 * step + 1
                    num_left += 1
            if places.has_trips:
                stream, come_day, come_time = facts[fact + COMES], np.int64(0), np.int64(0)
                if stream != NONE:
                    come_day = number_of(streams, stream, n) >> CELL_SHIFT
                    come_time = number_of(streams, stream + STREAM, n) >> CELL_SHIFT
                steps.come_day[step], steps.come_time[step] = come_day, come_time
            step += 1
            fact += FACTS
    return num_left


@inlined
def _time(laws, streams, facts, fact, n):  # type: ignore[no-untyped-def]
    """A time or patience of the n-th case, if it is not left to its law."""
    kind, begin = facts[fact], facts[fact + 1]
    if kind == CONSTANT:
        return begin
    number = number_of(streams, facts[fact + 2], n)
    if kind != SMOOTH:
        return laws.values[begin + np.int64(number * UNIT * kind)]
    return _rounded(laws.coefficients, begin, number)


@closely
def _rounded(coefficients, begin, number):  # type: ignore[no-untyped-def]
    """The value of a law for a number, rounded, if that takes no more care."""
    from_1 = number >> 52
    # Counted from 0 or from 1, whichever is nearer.
    from_end = number ^ (-from_1 & (2**53 - 1))
    # The highest bit tells the octave, those below it the cell, and the rest where in it.
    zeros = leading_zeros(from_end)  # type: ignore[call-arg, var-annotated]
    octave = ZEROS_IN_LOWEST_OCTAVE - zeros
    if octave < 0:
        return -1 - number
    bits = from_end << zeros
    cell = octave << CELL_BITS | bits >> (63 - CELL_BITS) & ((1 << CELL_BITS) - 1)
    x = _float_of(bits >> (11 - CELL_BITS) & (2**52 - 1) | BITS_OF_1) - 1.5
    c = begin + (from_1 * CELLS_OF_SIDE + cell) * TERMS
    x2 = x * x
    low = coefficients[c] + coefficients[c + 1] * x
    low += (coefficients[c + 2] + coefficients[c + 3] * x) * x2
    high = coefficients[c + 4] + coefficients[c + 5] * x
    high += (coefficients[c + 6] + coefficients[c + 7] * x) * x2
    value = low + high * (x2 * x2)
    shifted = value + ROUND
    if abs(value - (shifted - ROUND)) < 0.5 - MARGIN:
        return _bits_of(shifted) - BITS_OF_ROUND
    return -1 - number
