"""The loop of the compiled tally: what `tally` defines, in one pass over the steps.

Of an instant, only the stretch between edges that it lies in is looked up. What intervals have of a
stretch is then what is left of it where they begin, less what is left of it where they end, and all
of it for each that has begun and not ended before.
"""

from __future__ import annotations

import numpy as np

from sim.engines.compiling import compiled, inlined
from sim.plan import NONE
from sim.pool_hours import HALF_HOUR, PER_DAY


@compiled
def add_up(hours, steps, sums):  # type: ignore[no-untyped-def]
    """Fill in the sums; their `counts` and `moves` are 0."""
    _begin_groups(hours, steps, sums)
    num_pools = np.int64(hours.num_pools)
    for case in range(steps.num_cases):
        channel = num_pools + np.int64(steps.channel[case])
        for step in range(steps.first_step[case], steps.first_step[case + 1]):
            server = steps.server[step]
            if server == NONE:
                continue
            shift = hours.shift_of_server[server]
            pool = hours.pool_of_shift[shift]
            joined_at = min(steps.enqueued_at[step], hours.end)
            started_at = min(steps.started_at[step], hours.end)
            completed_at = min(steps.completed_at[step], hours.end)
            begins_in, serving = _stretch(hours, pool, started_at), hours.shift_begin[shift]
            if joined_at < started_at:
                _stand(hours, sums, pool, joined_at, started_at, begins_in)
            _move(sums, serving + begins_in, started_at, 1)
            _move(sums, serving + _stretch(hours, pool, completed_at), completed_at, -1)
            if joined_at >= hours.first:
                lasted = started_at - joined_at
                row = pool * PER_DAY + _half_hour(joined_at) % PER_DAY
                sums.num_waits[row] += 1
                sums.total_waits[row] += lasted
                _wait(sums, pool, lasted)
                if channel < steps.no_channel:
                    _wait(sums, channel, lasted)
    for wait in range(steps.num_unserved):
        pool = steps.unserved_pool[wait]
        begin, end = steps.unserved_begin[wait], steps.unserved_end[wait]
        if begin < end:
            _stand(hours, sums, pool, begin, end, _stretch(hours, pool, end))
    _add_stretches(hours, sums)
    return np.int64(0)


@inlined
def _begin_groups(hours, steps, sums):  # type: ignore[no-untyped-def]
    """Where the waits of each pool and channel begin, and where the next one is to be put."""
    num_pools = np.int64(hours.num_pools)
    num_waits, num_stands = sums.next_wait, sums.next_stand
    for case in range(steps.num_cases):
        channel, num_measured = num_pools + np.int64(steps.channel[case]), np.int64(0)
        for step in range(steps.first_step[case], steps.first_step[case + 1]):
            server = steps.server[step]
            if server != NONE:
                pool = hours.pool_of_shift[hours.shift_of_server[server]]
                joined_at = steps.enqueued_at[step]
                is_measured = np.int64(joined_at >= hours.first)
                num_stands[pool] += np.int64(joined_at < steps.started_at[step])
                num_waits[pool] += is_measured
                num_measured += is_measured
        num_waits[channel] += num_measured
    for wait in range(steps.num_unserved):
        is_long = steps.unserved_begin[wait] < steps.unserved_end[wait]
        num_stands[steps.unserved_pool[wait]] += np.int64(is_long)
    before = np.int64(0)
    for pool in range(num_pools):
        sums.pool_begin[pool] = before
        before, num_stands[pool] = before + num_stands[pool], before
    sums.pool_begin[num_pools] = before
    before = np.int64(0)
    for subject in range(steps.no_channel):
        sums.waits_begin[subject] = before
        before, num_waits[subject] = before + num_waits[subject], before
    sums.waits_begin[steps.no_channel] = before


@inlined
def _wait(sums, subject, lasted):  # type: ignore[no-untyped-def]
    """Somebody has waited for a pool, or in a channel, and was served."""
    sums.waits[sums.next_wait[subject]] = lasted
    sums.next_wait[subject] += 1


@inlined
def _stand(hours, sums, pool, begin, end, ends_in):  # type: ignore[no-untyped-def]
    """Somebody has stood in the queue of a pool, until an instant in some stretch."""
    place, queue = sums.next_stand[pool], hours.edges_begin[pool]
    sums.joined_at[place], sums.left_at[place] = begin, end
    sums.next_stand[pool] = place + 1
    _move(sums, queue + _stretch(hours, pool, begin), begin, 1)
    _move(sums, queue + ends_in, end, -1)


@inlined
def _half_hour(at):  # type: ignore[no-untyped-def]
    """The half-hour of an instant; of unsigned numbers, which are divided faster."""
    return np.int64(np.uint64(at) // np.uint64(HALF_HOUR))


@inlined
def _stretch(hours, pool, at):  # type: ignore[no-untyped-def]
    """How many edges of the pool there are up to an instant."""
    begin = hours.edges_begin[pool]
    number = hours.edges_until[hours.until_begin[pool] + _half_hour(at)]
    while hours.edges[begin + number] <= at:
        number += 1
    return number


@inlined
def _move(sums, place, at, sign):  # type: ignore[no-untyped-def]
    """Somebody comes, or with the sign -1 goes, in a stretch of a queue or of a shift."""
    sums.moves[2 * place] += sign
    sums.moves[2 * place + 1] += sign * at


@inlined
def _add_stretches(hours, sums):  # type: ignore[no-untyped-def]
    """Add up what was moved."""
    num_pools = np.int64(hours.num_pools)
    for shift in range(-num_pools, hours.num_shifts):
        is_queue = shift < 0
        pool = shift + num_pools if is_queue else hours.pool_of_shift[shift]
        first_edge = hours.edges_begin[pool]
        begin = first_edge if is_queue else hours.shift_begin[shift]
        there = np.int64(0)
        # After the last edge there is one that is never reached.
        for edge in range(first_edge, hours.edges_begin[pool + 1] - 2):
            move = 2 * (begin + edge - first_edge)
            there += sums.moves[move]
            begins_at, ends_at = hours.edges[edge], hours.edges[edge + 1]
            passed = there * (ends_at - begins_at)
            passed += sums.moves[move + 2] * ends_at - sums.moves[move + 3]
            if is_queue:
                if hours.number[edge] != NONE:
                    sums.waited[hours.number[edge]] += passed
            elif hours.is_on[move // 2]:
                sums.served[pool * PER_DAY + hours.half_hour[edge]] += passed
            elif not hours.pauses[pool]:
                sums.overtime[pool] += passed
