"""The load of pools against a count of every second, by hand from the log."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from halls import CATALOGUE, Data, Run, case_type, hall, one_pool, run, shifts

from sim.engines import compiled_tally
from sim.event_log import Kind, pool_of_server, shift_of_server
from sim.metrics import Measures, measure
from sim.outcome import Places, outcome_of, waits_without_service
from sim.plan import NONE
from sim.pool_hours import HALF_HOUR, PER_DAY, PERCENTS
from sim.tally import tally
from sim.timeline import DAY, HOUR

MORE: dict[str, Data] = {
    "shifts that open and close within half-hours": hall(
        {"case": case_type({"serve": {"pool": "windows", "service": "37 min"}}, {"per_hour": 9})},
        {"windows": shifts({"early": (2, "early"), "late": (3, "late")}, at_closing="wait")},
        hours={"early": ["08:50-12:10", "12:20-12:25"], "late": ["12:15-12:50", "14:00-17:18"]},
        open=("08:00-18:00",),
        days=6,
    ),
    "a long queue over midnight, and a warm-up": one_pool(
        {"per_hour": 40},
        {"exponential": {"mean": "10 min"}},
        2,
        rules={"at_closing": "wait"},
        in_person=False,
        open=("09:10-17:00",),
        horizon={"from": "2020-01-03", "to": "2020-01-05", "warm_up": "2020-01-01"},
    ),
}


def seconds(made: Run, begin: list[int], end: list[int]) -> np.ndarray:
    """How many intervals [begin, end) each second lies in, from the measured part on."""
    changes = np.zeros(made.plan.end_at + 1, dtype=np.int64)
    np.add.at(changes, begin, 1)
    np.add.at(changes, end, -1)
    return np.cumsum(changes)[made.plan.measured_from_at : -1]


def intervals(made: Run) -> tuple[list[list[list[int]]], list[list[list[int]]]]:
    """Beginnings and ends of the waits of each pool, and of the services of each shift."""
    plan, log = made.plan, made.log
    waits: list[list[list[int]]] = [[[], []] for _ in plan.pools]
    services: list[list[list[int]]] = [[[], []] for _ in plan.shifts]
    waiting: dict[tuple[int, int], tuple[int, int]] = {}
    serving: dict[tuple[int, int], tuple[int, int]] = {}

    def leave(step: tuple[int, int], pool: int, at: int) -> None:
        waits[pool][0].append(waiting.pop(step)[0])
        waits[pool][1].append(at)

    def finish(step: tuple[int, int], at: int) -> None:
        began_at, server = serving.pop(step)
        services[shift_of_server(plan)[server]][0].append(began_at)
        services[shift_of_server(plan)[server]][1].append(at)

    columns = (log.at, log.kind, log.case, log.place, log.pool, log.server)
    for at, kind, case, place, pool, server in zip(*(c.tolist() for c in columns), strict=True):
        if kind == Kind.ENQUEUE:
            waiting[case, place] = at, pool
        elif kind == Kind.START and server != NONE:
            leave((case, place), int(pool_of_server(plan)[server]), at)
            serving[case, place] = at, server
        elif kind == Kind.COMPLETE and server != NONE:
            finish((case, place), at)
        elif kind in (Kind.RENEGE, Kind.TURN_AWAY):
            leave((case, place), pool, at)
        elif kind == Kind.LOSE:
            for step in [step for step in waiting if step[0] == case]:
                leave(step, waiting[step][1], at)
    for step in list(waiting):
        leave(step, waiting[step][1], plan.end_at)
    for step in list(serving):
        finish(step, plan.end_at)
    return waits, services


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.long) if name == "a leap year" else name
        for name in [*CATALOGUE, *MORE]
    ],
)
def test_the_load_of_a_pool_is_what_every_second_counts(name: str) -> None:
    """Utilisation, overtime and queues, of pools and by half-hour."""
    made = run((CATALOGUE | MORE)[name])
    plan = made.plan
    measures: Measures = measure(plan, made.workload, made.log)
    table = {column: np.array(entries) for column, entries in measures.half_hours.items()}
    waits, services = intervals(made)
    all_seconds = np.arange(plan.measured_from_at, plan.end_at)
    for index, pool in enumerate(plan.pools):
        capacity = np.zeros(len(all_seconds))
        busy = np.zeros(len(all_seconds))
        overtime = 0.0
        for number in pool.shifts:
            shift = plan.shifts[number]
            is_on = shift.sessions.is_open(all_seconds)
            served = seconds(made, *services[number])
            capacity += shift.servers * is_on
            busy += served * is_on
            overtime += 0 if pool.pauses else served[~is_on].sum()
        queue = seconds(made, *waits[index])

        def by_half_hour(of_seconds: np.ndarray) -> np.ndarray:
            return of_seconds.reshape(-1, PER_DAY, HALF_HOUR).sum(axis=2)

        is_open = by_half_hour(capacity) > 0
        queues = by_half_hour(queue) / HALF_HOUR
        days = max(int((plan.days.dates * DAY >= plan.measured_from_at).sum()), 1)
        got = {metric: v for (metric, of), v in measures.values.items() if of == pool.name}
        assert got["queue_length_max"] == queue.max()
        assert got["overtime_hours"] == pytest.approx(overtime / HOUR / days)
        if not is_open.any():
            assert pool.name not in table["pool"].tolist()
            continue
        assert got["utilisation"] == pytest.approx(busy.sum() / capacity.sum())
        assert got["queue_length_mean"] == pytest.approx(queues[is_open].mean())
        rows = {column: entries[table["pool"] == pool.name] for column, entries in table.items()}
        half_hours = np.flatnonzero(is_open.any(axis=0))
        np.testing.assert_array_equal(rows["half_hour"], half_hours * HALF_HOUR)
        used = [(is_open[:, h], h) for h in half_hours.tolist()]
        wanted = {
            "utilisation": [
                by_half_hour(busy)[:, h].sum() / by_half_hour(capacity)[:, h].sum() for _, h in used
            ],
            "queue_length_mean": [queues[days_open, h].mean() for days_open, h in used],
        } | {
            f"queue_length_p{percent}": [
                np.quantile(queues[days_open, h], percent / 100) for days_open, h in used
            ]
            for percent in PERCENTS
        }
        for column, entries in wanted.items():
            assert rows[column] == pytest.approx(np.array(entries)), column


@pytest.mark.parametrize("name", [*CATALOGUE, *MORE])
def test_the_compiled_tally_adds_up_the_same(name: str) -> None:
    pytest.importorskip("numba")
    made = run((CATALOGUE | MORE)[name])
    outcome = outcome_of(made.workload, made.log)
    unserved = waits_without_service(made.plan, outcome, Places(made.plan, made.workload))
    came = made.plan, made.workload, outcome, unserved
    expected, found = tally(*came), compiled_tally.tally(*came)
    for column in fields(expected):
        np.testing.assert_array_equal(
            getattr(found, column.name), getattr(expected, column.name), column.name
        )
