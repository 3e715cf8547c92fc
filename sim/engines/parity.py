"""Whether two engines gave the same log, and if not, the first event that differs, in words."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from sim.event_log import EventLog, Kind
from sim.plan import NONE, Plan
from sim.timeline import format_instant
from sim.workload import Workload

_COLUMNS = tuple(field.name for field in fields(EventLog))


def first_difference(
    plan: Plan, workload: Workload, reference: EventLog, other: EventLog
) -> str | None:
    """The first event that differs, such as

        event 1042 differs: reference START case 17, compiled START case 18, both at
        2015-01-05 10:31:05 (seed 7, replication 3)

    (in one line), or None if every column of both logs is equal. Events are numbered from 0.

    reference, other  logs of this plan and workload, by the SimPy and by the compiled engine.
    """
    length = min(len(reference), len(other))
    differs = np.zeros(length, dtype=bool)
    for name in _COLUMNS:
        differs |= getattr(reference, name)[:length] != getattr(other, name)[:length]
    where = f"(seed {workload.seed}, replication {workload.replication})"
    if differs.any():
        event = int(np.argmax(differs))
        columns = [n for n in _COLUMNS if getattr(reference, n)[event] != getattr(other, n)[event]]
        details = [n for n in columns if n not in ("at", "kind", "case")]
        first, second = (_in_words(plan, log, event, details) for log in (reference, other))
        first_at, second_at = (_instant(plan, log, event) for log in (reference, other))
        if first_at == second_at:
            both = f"reference {first}, compiled {second}, both at {first_at}"
        else:
            both = f"reference {first} at {first_at}, compiled {second} at {second_at}"
        return f"event {event} differs: {both} {where}"
    if len(reference) == len(other):
        return None
    longer, name = (reference, "reference") if len(reference) > length else (other, "compiled")
    event_in_words = f"{_in_words(plan, longer, length, [])} at {_instant(plan, longer, length)}"
    return f"event {length} differs: only {name} goes on, with {event_in_words} {where}"


def _instant(plan: Plan, log: EventLog, event: int) -> str:
    return format_instant(int(log.at[event]), plan.origin)


def _in_words(plan: Plan, log: EventLog, event: int, details: list[str]) -> str:
    """Kind and case, and the value of each further column that differs."""
    values = [f"{name} {_value(plan, log, event, name)}" for name in details]
    text = f"{Kind(log.kind[event]).name.replace('_', ' ')} case {log.case[event]}"
    return text + (f" ({', '.join(values)})" if values else "")


def _value(plan: Plan, log: EventLog, event: int, name: str) -> str:
    value = int(getattr(log, name)[event])
    if value == NONE:
        return "none"
    if name == "activity":
        return plan.activities[value].name
    return plan.pools[value].name if name == "pool" else str(value)
