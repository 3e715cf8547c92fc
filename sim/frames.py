"""Logs as tables for people: names in the place of indices, dates and times for instants.

What did not happen before the end of the horizon is NaT, what does not apply is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sim.event_log import EventLog, Kind
from sim.outcome import case_table, outcome_of
from sim.plan import NONE, Plan
from sim.timeline import NEVER, IntArray
from sim.workload import Workload

if TYPE_CHECKING:
    import pandas as pd


def event_frame(plan: Plan, workload: Workload, log: EventLog) -> pd.DataFrame:
    """Every event, in order: at, event, case, case_type, step, activity, pool, server.

    A server is called after its shift, `windows.day.2` being the second one.
    """
    import pandas as pd

    case_types = [case_type.name for case_type in plan.case_types]
    servers = [
        f"{plan.pools[shift.pool].name}.{shift.name}.{number + 1}"
        for shift in plan.shifts
        for number in range(shift.servers)
    ]
    return pd.DataFrame(
        {
            "at": _instants(plan, log.at),
            "event": _named([kind.name.lower() for kind in Kind], log.kind),
            "case": log.case,
            "case_type": _named(case_types, workload.case_type[log.case]),
            "step": log.place,
            "activity": _named([activity.name for activity in plan.activities], log.activity),
            "pool": _named([pool.name for pool in plan.pools], log.pool),
            "server": _named(servers, log.server),
        }
    )


def case_frame(plan: Plan, workload: Workload, log: EventLog) -> pd.DataFrame:
    """Every case: its type and attributes, when it passed each milestone, visits and documents.

    Columns: case, case_type, batch, measured (arrived after the warm-up), state (finished, lost or
    in progress), arrived_at, one `_at` for each milestone, departed_at, lost_at, visits, documents,
    first_pass, and one for each attribute. A name that is taken gets a `_`.
    """
    import pandas as pd

    cases = case_table(plan, workload, outcome_of(workload, log))
    state = np.where(cases.is_lost, "lost", np.where(cases.is_finished, "finished", "in progress"))
    columns: dict[str, Any] = {
        "case": np.arange(workload.num_cases),
        "case_type": _named([case_type.name for case_type in plan.case_types], workload.case_type),
        "batch": pd.array(np.where(workload.batch == NONE, np.nan, workload.batch), dtype="Int64"),
        "measured": workload.arrived_at >= plan.measured_from_at,
        "state": state,
        "arrived_at": _instants(plan, cases.arrived_at),
    }
    last = {
        "departed_at": _instants(plan, cases.departed_at),
        "lost_at": _instants(plan, cases.lost_at),
        "visits": cases.visits,
        "documents": cases.documents,
        "first_pass": cases.is_first_pass,
    }
    for number, milestone in enumerate(plan.milestones):
        name = _free(f"{milestone}_at", [*columns, *last])
        columns[name] = _instants(plan, cases.milestones[:, number])
    columns |= last
    taken = list(columns)
    for index, case_type in enumerate(plan.case_types):
        belongs = workload.case_type == index
        for number, (attribute, values, _) in enumerate(case_type.attributes):
            column = columns.setdefault(
                _free(attribute, taken), np.full(workload.num_cases, None, dtype=object)
            )
            column[belongs] = _named(values, workload.attributes[belongs, number])
    return pd.DataFrame(columns)


def _instants(plan: Plan, at: IntArray) -> np.ndarray:
    seconds = np.where(at == NEVER, 0, at).astype("timedelta64[s]")
    instants = np.datetime64(plan.origin, "s") + seconds
    return np.where(at == NEVER, np.datetime64("NaT", "s"), instants)


def _named(names: Sequence[str], index: IntArray) -> np.ndarray:
    """The name for each index, None for -1, which is last."""
    return np.array([*names, None], dtype=object)[index]


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name
