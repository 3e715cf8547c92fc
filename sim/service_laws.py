"""The laws of servers and of waiting; see `laws`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from sim.event_log import Kind, pool_of_server
from sim.plan import NONE
from sim.timeline import NEVER, BoolArray, IntArray, StepFunction
from sim.traces import READY, Attempts, Trace, event_text, tell

_NEVER_OPEN: Final = StepFunction(np.zeros(0, np.int64), np.zeros(0, np.int64))


def _servers(trace: Trace) -> Iterator[str]:
    """A server serves one at a time, and only whom it may serve."""
    log, plan = trace.log, trace.plan
    events = np.flatnonzero((log.server != NONE) & np.isin(log.kind, (Kind.START, Kind.COMPLETE)))
    order = events[np.argsort(log.server[events], kind="stable")]
    server, step, is_start = log.server[order], trace.step[order], log.kind[order] == Kind.START
    is_first = np.diff(server, prepend=NONE) != 0
    # Start and completion take turns, and what is completed is what was started.
    at_work = np.roll(is_start, 1) & ~is_first
    bad = np.where(is_start, at_work, ~at_work | (np.roll(step, 1) != step))
    yield from tell(
        order[bad],
        lambda i: (
            f"{event_text(plan, log, i)}: server {log.server[i]} is at work on something else"
        ),
    )
    may_serve = np.zeros((len(plan.queues) + 1, max(plan.num_servers, 1)), dtype=np.bool_)
    for queue, pools in enumerate(plan.queues):
        may_serve[queue, : plan.num_servers] = np.isin(pool_of_server(plan), pools)
    bad = ~may_serve[trace.of_activity("queue")[step], server]
    yield from tell(
        order[bad],
        lambda i: f"{event_text(plan, log, i)}: server {log.server[i]} may not serve it",
    )


def _shifts(trace: Trace) -> Iterator[str]:
    """No service starts outside its shift; late people are served by who closed last."""
    plan, attempts = trace.plan, trace.attempts
    late = np.flatnonzero(attempts.is_late)
    is_right = np.zeros(len(late), dtype=np.bool_)
    at, shift = attempts.exit_at[late], trace.shift_of_server[attempts.server[late]]
    for queue, shifts in enumerate(trace.shifts_of_queue):
        mine = np.flatnonzero(attempts.queue[late] == queue)
        closed_at = np.full(len(plan.shifts), NONE, dtype=np.int64)[:, None].repeat(len(mine), 1)
        is_open = np.zeros(len(mine), dtype=np.bool_)
        for number in shifts:
            sessions = plan.shifts[number].sessions
            closed = np.searchsorted(sessions.ends, at[mine], side="right")
            closed_at[number] = np.append(sessions.ends, NONE)[closed - 1]
            is_open |= sessions.is_open(at[mine])
        own = closed_at[shift[mine], np.arange(len(mine))]
        rule = np.array([plan.pools[s.pool].at_closing == "serve" for s in plan.shifts])
        is_right[mine] = (
            ~is_open
            & rule[shift[mine]]
            & attempts.is_person[late[mine]]
            & (own == closed_at.max(axis=0, initial=NONE))
            & (attempts.enqueued_at[late[mine]] < own)
        )
    yield from tell(
        late[~is_right],
        lambda i: (
            f"{trace.name(attempts.step[i])}: server {attempts.server[i]} starts at "
            f"{trace.instant(attempts.exit_at[i])}, outside its shift"
        ),
    )


# --- waiting -------------------------------------------------------------------------------------


def _overtaking(trace: Trace) -> Iterator[str]:
    """No open server takes somebody while one it may serve, and who is before them, waits."""
    attempts = trace.attempts
    queues_of_shift: dict[tuple[int, ...], list[int]] = {}
    for shift in range(len(trace.plan.shifts)):
        queues = tuple(q for q, shifts in enumerate(trace.shifts_of_queue) if shift in shifts)
        queues_of_shift.setdefault(queues, []).append(shift)
    for queues, shifts in queues_of_shift.items():
        if queues:
            mine = np.isin(attempts.queue, queues)
            starts = mine & np.isin(attempts.shift, shifts) & ~attempts.is_late
            yield from _overtaken(trace, attempts.where(mine), starts[mine])
            yield from _less_urgent(trace, attempts.where(mine), starts[mine])
    # Late clerks serve people only, so papers may be overtaken by people, but not people by people.
    for queue in np.unique(attempts.queue[attempts.is_late]).tolist():
        people = (attempts.queue == queue) & attempts.is_person
        starts = people & (attempts.server != NONE)
        yield from _overtaken(trace, attempts.where(people), starts[people])


def _overtaken(trace: Trace, attempts: Attempts, starts: BoolArray) -> Iterator[str]:
    """Those who wait while a later one of the same priority is started."""
    order = np.lexsort((attempts.step, attempts.enqueued_at, attempts.priority))
    begins = np.flatnonzero(np.diff(attempts.priority[order], prepend=NEVER) != 0)
    bad: list[int] = []
    for group in np.split(order, begins[1:]) if len(order) else ():
        enqueued_at, exit_order = attempts.enqueued_at[group], attempts.exit_order[group]
        started = np.where(starts[group], exit_order, NEVER)
        first_start = np.append(np.minimum.accumulate(started[::-1])[::-1], NEVER)
        suspects = np.flatnonzero(first_start[1:] < exit_order)
        if not len(suspects):
            continue
        later = np.searchsorted(enqueued_at, enqueued_at[suspects], side="right")
        was_there = 2 * attempts.enqueued_round[group]
        for i, end in zip(suspects.tolist(), later.tolist(), strict=True):
            # Who came at the same instant but in a later round found the server taken.
            tied = started[i + 1 : end]
            unfair = (tied >= was_there[i]) & (tied < exit_order[i])
            if first_start[end] < exit_order[i] or unfair.any():
                bad.append(int(group[i]))
    yield from tell(
        np.array(bad, dtype=np.intp),
        lambda i: (
            f"{trace.name(attempts.step[i])}: waits since "
            f"{trace.instant(attempts.enqueued_at[i])} and is overtaken by a later case "
            "of the same priority"
        ),
    )


def _less_urgent(trace: Trace, attempts: Attempts, starts: BoolArray) -> Iterator[str]:
    """Starts while a more urgent case waits."""
    bad = np.zeros(len(starts), dtype=np.bool_)
    for priority in np.unique(attempts.priority)[1:].tolist():
        urgent = attempts.priority < priority
        mine = np.flatnonzero(starts & (attempts.priority == priority))
        handed_out = attempts.exit_order[mine]
        came = _count_up_to(2 * attempts.enqueued_round[urgent], handed_out)
        bad[mine] = came > _count_up_to(attempts.exit_order[urgent], handed_out)
    yield from tell(
        np.flatnonzero(bad),
        lambda i: (
            f"{trace.name(attempts.step[i])}: is started at "
            f"{trace.instant(attempts.exit_at[i])} while a more urgent case waits"
        ),
    )


def _count_up_to(values: IntArray, limits: IntArray) -> IntArray:
    """How many values are at most each limit."""
    return np.searchsorted(np.sort(values), limits, side="right")


def _no_idle_server(trace: Trace) -> Iterator[str]:
    """Nobody waits while an open server that may serve them is free, nor takes a second choice."""
    for queue, shifts in enumerate(trace.shifts_of_queue):
        for rank, shift in enumerate(shifts):
            yield from _idle(trace, queue, shift)
            yield from _second_choice(trace, queue, shift, shifts[rank + 1 :])


def _idle(trace: Trace, queue: int, shift: int) -> Iterator[str]:
    planned, attempts = trace.plan.shifts[shift], trace.attempts
    waits, served = attempts.queue == queue, attempts.shift == shift
    came_at, went_at = attempts.enqueued_at[waits], attempts.exit_at[waits]
    busy_from, busy_to = attempts.exit_at[served], trace.completed_at[attempts.step[served]]
    at = np.unique(np.concatenate((came_at, went_at, busy_to, planned.sessions.starts)))
    at = at[at < trace.plan.end_at]
    at = at[planned.sessions.is_open(at)]
    waiting = _count_up_to(came_at, at) - _count_up_to(went_at, at)
    free = planned.servers - _count_up_to(busy_from, at) + _count_up_to(busy_to, at)
    pool = trace.plan.pools[planned.pool].name
    yield from tell(
        np.flatnonzero((waiting > 0) & (free > 0)),
        lambda i: (
            f"pool {pool}, shift {planned.name}: at {trace.instant(at[i])} {waiting[i]} wait, "
            f"and {free[i]} servers are free"
        ),
    )


def _second_choice(trace: Trace, queue: int, shift: int, later: list[int]) -> Iterator[str]:
    planned, attempts = trace.plan.shifts[shift], trace.attempts
    served = attempts.shift == shift
    second = np.flatnonzero((attempts.queue == queue) & np.isin(attempts.shift, later))
    second = second[planned.sessions.is_open(attempts.exit_at[second])]
    handed_out = attempts.exit_order[second]
    begun = _count_up_to(attempts.exit_order[served], handed_out)
    done = _count_up_to(2 * trace.completed_round[attempts.step[served]], handed_out)
    yield from tell(
        second[planned.servers - begun + done > 0],
        lambda i: (
            f"{trace.name(attempts.step[i])}: server {attempts.server[i]} is taken at "
            f"{trace.instant(attempts.exit_at[i])} while one of shift {planned.name} is free"
        ),
    )


def _sent_away(trace: Trace) -> Iterator[str]:
    """Only people are turned away, from a full room or a closed pool, and there nobody stays on."""
    plan, attempts = trace.plan, trace.attempts
    is_turned = attempts.exit_kind == Kind.TURN_AWAY
    may = _is_crowded_out(trace, is_turned)
    for queue in range(len(trace.shifts_of_queue)):
        if plan.pools[plan.queues[queue][0]].at_closing == "wait":
            continue
        mine = np.flatnonzero((attempts.queue == queue) & attempts.is_person)
        goes_at = _closed_to(trace, queue, attempts.enqueued_at[mine])
        is_open = _openness(trace, queue)(attempts.exit_at[mine]) > 0
        may[mine] |= ~is_open & (goes_at <= attempts.exit_at[mine])
        stays = (attempts.exit_at[mine] > goes_at) & (goes_at < plan.end_at)
        yield from _tell_overstaying(trace, mine[stays], goes_at[stays])
    yield from tell(
        np.flatnonzero(is_turned & ~may),
        lambda i: (
            f"{trace.name(attempts.step[i])}: is turned away at "
            f"{trace.instant(attempts.exit_at[i])}, but nothing sends it away"
        ),
    )


def _is_crowded_out(trace: Trace, is_turned: BoolArray) -> BoolArray:
    """Of those who are turned away, the people who leave behind them a room that is full.

    Who is lost with their case in that round may have been in the room, and counts as there.
    """
    attempts = trace.attempts
    # Who runs out of patience in the round after is there until then.
    moved_on = [attempts.exit_kind == READY, attempts.exit_kind == Kind.RENEGE]
    left = attempts.exit_order + np.select(moved_on, [3, 1], 0)
    first_pool = np.where(attempts.is_person, _first_pools(trace)[attempts.queue], NONE)
    crowded = np.zeros(len(is_turned), dtype=np.bool_)
    for number, pool in enumerate(trace.plan.pools):
        if pool.room is not None:
            people = first_pool == number
            mine = np.flatnonzero(is_turned & people)
            handed_out = attempts.exit_order[mine]
            came = _count_up_to(2 * attempts.enqueued_round[people], handed_out)
            crowded[mine] = came - _count_up_to(left[people], handed_out) >= pool.room
    return crowded


def _openness(trace: Trace, queue: int) -> StepFunction:
    shifts = (trace.plan.shifts[shift] for shift in trace.shifts_of_queue[queue])
    return sum((shift.sessions.step_function() for shift in shifts), _NEVER_OPEN)


def _closed_to(trace: Trace, queue: int, enqueued_at: IntArray) -> IntArray:
    """When a pool has closed to people who came at these instants, and serves them no more.

    At once if they came when it was closed; else when it closes, unless those who close last serve
    who is there.
    """
    plan, openness = trace.plan, _openness(trace, queue)
    closes_at = openness.times[openness.values == 0]
    for number in trace.shifts_of_queue[queue]:
        shift = plan.shifts[number]
        if plan.pools[shift.pool].at_closing == "serve":
            closes_at = closes_at[~np.isin(closes_at, shift.sessions.ends)]
    closes_at = np.append(closes_at, NEVER)
    goes_at = closes_at[np.searchsorted(closes_at, enqueued_at, side="left")]
    return np.where(openness(enqueued_at) == 0, enqueued_at, goes_at)


def _tell_overstaying(trace: Trace, who: IntArray, goes_at: IntArray) -> Iterator[str]:
    steps = trace.attempts.step[who]
    yield from tell(
        np.arange(len(who)),
        lambda i: (
            f"{trace.name(steps[i])}: waits on after {trace.instant(goes_at[i])} "
            "in a pool that has closed"
        ),
    )


def _rooms(trace: Trace) -> Iterator[str]:
    """No room holds more people than it has places."""
    for number, pool in enumerate(trace.plan.pools):
        if pool.room is not None:
            yield from _crowded(trace, number, pool.room)


def _crowded(trace: Trace, pool: int, room: int) -> Iterator[str]:
    attempts = trace.attempts
    people = attempts.where(attempts.is_person & (_first_pools(trace)[attempts.queue] == pool))
    at = np.unique(people.enqueued_at)
    waiting = _count_up_to(people.enqueued_at, at) - _count_up_to(people.exit_at, at)
    yield from tell(
        np.flatnonzero(waiting > room),
        lambda i: (
            f"pool {trace.plan.pools[pool].name}: {waiting[i]} people wait at "
            f"{trace.instant(at[i])}, the room holds {room}"
        ),
    )


def _first_pools(trace: Trace) -> IntArray:
    """For each queue, and NONE for none as a last entry."""
    return np.array([*(pools[0] for pools in trace.plan.queues), NONE], dtype=np.int64)


def _little(trace: Trace) -> Iterator[str]:
    """L = lambda W: the area under the number waiting is the sum of the waiting times.

    The area is counted off the log event by event, without asking who is who.
    """
    plan, log, attempts = trace.plan, trace.log, trace.attempts
    pool_of_step = np.append(_first_pools(trace)[trace.of_activity("queue")], NONE)
    pool = pool_of_step[trace.step]
    change = np.select(
        [log.kind == Kind.ENQUEUE, np.isin(log.kind, (Kind.START, Kind.RENEGE, Kind.TURN_AWAY))],
        [1, -1],
        0,
    )
    for number, planned in enumerate(plan.pools):
        mine = np.flatnonzero((pool == number) & (change != 0))
        # Who waits when their case is lost gives up with it.
        left_over = np.bincount(
            log.case[mine], weights=change[mine], minlength=trace.workload.num_cases
        ).astype(np.int64)
        losses = log.of_kind(Kind.LOSE)
        at = np.concatenate((log.at[mine], log.at[losses]))
        changes = np.concatenate((change[mine], -left_over[log.case[losses]]))
        order = np.argsort(at, kind="stable")
        waiting = np.cumsum(changes[order])
        area = int((waiting * np.diff(at[order], append=plan.end_at)).sum())
        my_attempts = pool_of_step[attempts.step] == number
        times = np.minimum(attempts.exit_at, plan.end_at) - attempts.enqueued_at
        total = int(times[my_attempts].sum())
        if area != total:
            yield (
                f"pool {planned.name}: the number waiting adds up to {area} s, "
                f"the waiting times to {total} s"
            )


SERVICE_LAWS: Final[tuple[Callable[[Trace], Iterator[str]], ...]] = (
    _servers,
    _shifts,
    _overtaking,
    _no_idle_server,
    _sent_away,
    _rooms,
    _little,
)
