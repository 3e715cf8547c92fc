"""Our compiled engine on the same models, draws included.

Instants are whole seconds here, and M/M/2 has 10 minutes for its unit of time: a service is 10
minutes on average, and 1.6 cases come in that time. Days are whole, so there are about as many
cases as asked for.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from small_hall import scenario_data

from sim.engines import compiled_engine
from sim.engines.compiled_draw import draw_workload
from sim.event_log import Kind
from sim.loading import scenario_from
from sim.outcome import Outcome
from sim.plan import Plan
from sim.planning import compile_plan
from sim.timeline import MINUTE, NEVER
from sim.workload import Workload

HALL_CASES_A_DAY = 24 * 60
MM2_CASES_A_DAY = 24 * 6 * 1.6
MM2_UNIT = 10 * MINUTE


def hall(num_cases: int, seed: int) -> tuple[int, float]:
    """Cases that left, and their mean time in minutes, from the outcome of each step and case."""
    return _time(*_outcome(_hall_plan(num_cases), seed))


def hall_in_series(num_cases: int, seed: int) -> tuple[int, float]:
    """The same, one check after the other."""
    return _time(*_outcome(_hall_plan(num_cases, in_series=True), seed))


def hall_event_log(num_cases: int, seed: int) -> tuple[int, float]:
    """As `hall`, from the whole event log."""
    workload = _drawn(_hall_plan(num_cases), seed)
    log = compiled_engine.simulate(_hall_plan(num_cases), workload)
    departures = log.of_kind(Kind.DEPART)
    times = log.at[departures] - workload.arrived_at[log.case[departures]]
    return len(times), float(times.mean()) / MINUTE


def mm2(num_cases: int, seed: int) -> tuple[int, float]:
    """Cases that were called, and their mean wait in services, from the outcome of each step."""
    _, outcome = _outcome(_mm2_plan(num_cases), seed)
    # First come, first served: who still waits at the end stands last.
    num_called = int(np.searchsorted(outcome.started_at, NEVER))
    waited = outcome.started_at[:num_called].sum() - outcome.enqueued_at[:num_called].sum()
    return num_called, float(waited) / num_called / MM2_UNIT


def _outcome(plan: Plan, seed: int) -> tuple[Workload, Outcome]:
    workload = _drawn(plan, seed)
    return workload, compiled_engine.simulate_outcome(plan, workload)


def _drawn(plan: Plan, seed: int) -> Workload:
    return draw_workload(plan, seed=1, replication=seed)


def _time(workload: Workload, outcome: Outcome) -> tuple[int, float]:
    times = (outcome.departed_at - workload.arrived_at)[outcome.departed_at != NEVER]
    return len(times), float(times.mean()) / MINUTE


# --- plans, compiled once ------------------------------------------------------------------------


@functools.cache
def _hall_plan(num_cases: int, in_series: bool = False) -> Plan:
    data = scenario_data(round(num_cases / HALL_CASES_A_DAY))
    if in_series:
        activities = data["case_types"]["case"]["activities"]
        activities["check_premises"]["after"] = ["check_papers"]
        activities["decision"]["after"] = ["check_premises"]
    return compile_plan(scenario_from(data))


@functools.cache
def _mm2_plan(num_cases: int) -> Plan:
    days = round(num_cases / MM2_CASES_A_DAY)
    service: dict[str, Any] = {"exponential": {"mean": "10 min"}}
    return compile_plan(
        scenario_from(
            {
                "calendar": "always",
                "hours": {"all_day": ["00:00-24:00"]},
                "working_hours": "all_day",
                "horizon": {"from": "2020-01-01", "to": f"{days} working days"},
                "pools": {"clerks": {"shifts": {"all_day": {"servers": 2}}}},
                "case_types": {
                    "case": {
                        "arrivals": {"per_hour": 9.6},
                        "activities": {"serve": {"pool": "clerks", "service": service}},
                    }
                },
            }
        )
    )
