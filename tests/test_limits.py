"""What only shows while running ends in a clear error, the same from both engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from halls import CATALOGUE, plan_of

from sim.draws import draw_workload
from sim.engines import compiled_engine, limits, simpy_engine
from sim.errors import RunawayError
from sim.plan import Plan
from sim.workload import Workload

ENGINES: list[Callable[[Plan, Workload], object]] = [
    simpy_engine.simulate,
    compiled_engine.simulate,
    compiled_engine.simulate_outcome,
]


def messages(plan: Plan, workload: Workload) -> set[str]:
    """What each engine says."""
    found = set()
    for simulate in ENGINES:
        with pytest.raises(RunawayError) as error:
            simulate(plan, workload)
        found.add(str(error.value))
    return found


def test_an_endless_loop_at_one_instant_is_told() -> None:
    plan = plan_of(CATALOGUE["no waiting room"])
    # Whoever is sent away comes back at once: no file can say so.
    trips = tuple(
        replace(trip, offsets=np.full_like(trip.offsets, -(10**9))) for trip in plan.trips
    )
    plan = replace(plan, trips=trips)
    workload = draw_workload(plan)
    [message] = messages(plan, workload)
    assert message.startswith("endless loop at 2020-01-")
    assert "case " in message
    assert f"'{plan.activities[0].name}' and no time passes (seed 1, replication 0)" in message


def test_many_rounds_at_one_instant_are_no_endless_loop() -> None:
    """A thousand cases of no time at one server, all at once."""
    data = {
        "calendar": "always",
        "hours": {"all_day": ["00:00-24:00"]},
        "working_hours": "all_day",
        "horizon": {"from": "2020-01-01", "to": "1 working days"},
        "pools": {"window": {"shifts": {"day": {"servers": 1}}}},
        "case_types": {
            "case": {
                "arrivals": {"every": "1 working days", "at": "09:00", "batch": 1000},
                "activities": {"serve": {"pool": "window", "service": "0 min"}},
            }
        },
    }
    plan = plan_of(data)
    workload = draw_workload(plan)
    assert workload.num_cases == 1000
    assert len(simpy_engine.simulate(plan, workload)) == 5000
    assert (compiled_engine.simulate_outcome(plan, workload).departed_at == 9 * 3600).all()


def test_more_events_than_there_may_be_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(CATALOGUE["no waiting room"])
    workload = draw_workload(plan)
    unserved = len(compiled_engine.simulate_outcome(plan, workload).unserved_step)
    assert unserved > 3
    certain = 4 * workload.num_steps + 2 * workload.num_cases
    monkeypatch.setattr(limits, "MOST_EVENTS", certain + 4 * unserved)
    for simulate in ENGINES:
        simulate(plan, workload)
    monkeypatch.setattr(limits, "MOST_EVENTS", certain + 4 * (unserved - 1))
    [message] = messages(plan, workload)
    assert message.startswith(f"more than {limits.MOST_EVENTS:,} events by 2020-01-")
    assert f"for '{plan.activities[0].name}' (seed 1, replication 0)" in message


@pytest.mark.parametrize("time", [-1, 2**62])
def test_times_that_instants_cannot_hold_are_told(time: int) -> None:
    plan = plan_of(CATALOGUE["overload"])
    workload = draw_workload(plan)
    times = workload.step_time.copy()
    times[5] = time
    workload = replace(workload, step_time=times)
    case = int(workload.step_case[5])
    [message] = messages(plan, workload)
    assert message.startswith(f"case {case}: '")
    assert f"takes {time:,} s, which is not from 0 to" in message


def test_a_workload_that_no_draw_gives_is_refused() -> None:
    plan = plan_of(CATALOGUE["impatient people"])
    workload = draw_workload(plan)
    for wrong, message in (
        ({"step_patience": workload.step_patience - 10**9}, "patience must be from 0"),
        ({"arrived_at": workload.arrived_at[::-1]}, "in the order of their arrivals"),
    ):
        for simulate in ENGINES:
            with pytest.raises(ValueError, match=message):
                simulate(plan, replace(workload, **wrong))


def test_columns_that_repeat_a_number_are_read_where_the_plan_asks_for_them() -> None:
    plan = plan_of(CATALOGUE["impatient people"])
    workload = draw_workload(plan)
    same = replace(workload, step_patience=np.full(workload.num_steps, 300))
    repeated = replace(workload, step_patience=np.broadcast_to(np.int64(300), workload.num_steps))
    expected = simpy_engine.simulate(plan, same)
    found = compiled_engine.simulate(plan, repeated)
    assert np.array_equal(found.at, expected.at)
    plan = plan_of(CATALOGUE["three priorities by attribute"])
    workload = draw_workload(plan)
    with pytest.raises(ValueError, match="a priority that no case type"):
        compiled_engine.simulate(plan, replace(workload, priority=workload.priority + 1000))
