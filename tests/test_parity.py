"""Both engines give the same log, event by event, and the check notices when they do not."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.small_hall import scenario_data
from halls import CATALOGUE, Data, plan_of, random_halls
from hypothesis import HealthCheck, assume, given, settings

from sim.draws import draw_workload
from sim.engines import compiled_engine, compiled_tables, simpy_engine
from sim.engines.parity import first_difference
from sim.errors import HallError
from sim.event_log import EventLog, Kind
from sim.itinerary import LoopError
from sim.loading import load, scenario_from
from sim.outcome import Outcome, outcome_of
from sim.plan import Plan
from sim.planning import compile_plan
from sim.workload import Workload

SCENARIOS = Path(__file__).parents[1] / "scenarios"
COLUMNS = [field.name for field in fields(EventLog)]


def assert_same_log(plan: Plan, workload: Workload) -> None:
    """Every column of both engines' logs is equal, in values and type."""
    reference = simpy_engine.simulate(plan, workload)
    compiled = compiled_engine.simulate(plan, workload)
    assert first_difference(plan, workload, reference, compiled) is None
    for name in COLUMNS:
        # A second opinion, in case `first_difference` looks at too little.
        column = getattr(compiled, name)
        assert np.array_equal(getattr(reference, name), column)
        assert column.dtype == getattr(reference, name).dtype
        assert not column.flags.writeable
    assert_same_outcome(outcome_of(workload, reference), plan, workload)


def assert_same_outcome(reference: Outcome, plan: Plan, workload: Workload) -> None:
    """What the compiled engine gives without a log is what the log comes to."""
    compiled = compiled_engine.simulate_outcome(plan, workload)
    for field in fields(Outcome):
        expected, found = getattr(reference, field.name), getattr(compiled, field.name)
        assert np.array_equal(expected, found), field.name
        assert expected.dtype == found.dtype, field.name


@pytest.mark.parametrize("name", CATALOGUE)
def test_both_engines_give_the_same_log_of_an_awkward_hall(name: str) -> None:
    plan = plan_of(CATALOGUE[name])
    for replication in range(3):
        assert_same_log(plan, draw_workload(plan, 1, replication))


@given(random_halls())
@settings(
    derandomize=True,
    deadline=None,
    max_examples=150,
    suppress_health_check=list(HealthCheck),
)
def test_both_engines_give_the_same_log_of_random_halls(data: Data) -> None:
    try:
        plan = plan_of(data)
    except LoopError:
        assume(False)
    assert_same_log(plan, draw_workload(plan))


def test_both_engines_give_the_same_log_of_a_busy_hall() -> None:
    plan = compile_plan(scenario_from(scenario_data(days=3)))
    assert_same_log(plan, draw_workload(plan, 7))


@pytest.mark.parametrize("name", ["lanzhou-2015", "lanzhou-2020"])
def test_both_engines_give_the_same_log_of_a_year_in_lanzhou(name: str) -> None:
    plan = compile_plan(load(SCENARIOS / f"{name}.yaml"))
    assert_same_log(plan, draw_workload(plan))


def test_one_compiled_loop_serves_every_hall() -> None:
    for name in ("one case", "nobody comes", "gates of every kind"):
        plan = plan_of(CATALOGUE[name])
        workload = draw_workload(plan)
        # A recorded workload may be read-only: that must not compile a second loop.
        workload.step_time.flags.writeable = False
        compiled_engine.simulate(plan, workload)
    assert len(compiled_engine._run._entries) == 1


def test_more_steps_than_there_are_numbers_for_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = plan_of(CATALOGUE["one case"])
    workload = draw_workload(plan)
    monkeypatch.setattr(compiled_tables, "CODE_BITS", 60)
    with pytest.raises(HallError, match="no numbers for 1 steps in 86,400 s"):
        compiled_tables.work_tables(plan, workload)


# --- the check bites -----------------------------------------------------------------------------

Logs = tuple[Plan, Workload, EventLog]


@pytest.fixture(scope="module")
def logs() -> Logs:
    plan = plan_of(CATALOGUE["overload"])
    workload = draw_workload(plan, 7, 3)
    return plan, workload, simpy_engine.simulate(plan, workload)


def changed(log: EventLog, name: str, event: int, by: int = 1) -> EventLog:
    """The log with one value changed."""
    column = getattr(log, name).copy()
    column[event] += by
    return replace(log, **{name: column})


def cut(log: EventLog, length: int) -> EventLog:
    """The first events of a log."""
    return EventLog(*(getattr(log, name)[:length] for name in COLUMNS))


@pytest.mark.parametrize("name", COLUMNS)
def test_parity_check_notices_one_changed_value_of_any_column(logs: Logs, name: str) -> None:
    plan, workload, log = logs
    event = int(log.of_kind(Kind.START)[5])
    by = -1 if name in ("activity", "pool") else 1
    message = first_difference(plan, workload, log, changed(log, name, event, by))
    assert message is not None
    assert message.startswith(f"event {event} differs: reference START case ")
    assert message.endswith("(seed 7, replication 3)")


def test_parity_check_notices_one_changed_second(logs: Logs) -> None:
    plan, workload, log = logs
    event = len(log) - 1
    message = first_difference(plan, workload, log, changed(log, "at", event))
    assert message is not None
    assert " at 2020-01-02 " in message
    assert "both" not in message


def test_parity_check_names_both_cases_and_the_instant() -> None:
    plan = plan_of(CATALOGUE["one case"])
    workload = draw_workload(plan, 7, 3)
    log = simpy_engine.simulate(plan, workload)
    [start] = log.of_kind(Kind.START)
    assert first_difference(plan, workload, log, changed(log, "case", int(start))) == (
        f"event {start} differs: reference START case 0, compiled START case 1, "
        "both at 2020-01-01 09:00:00 (seed 7, replication 3)"
    )


def test_parity_check_names_what_else_differs() -> None:
    plan = plan_of(CATALOGUE["one case"])
    workload = draw_workload(plan, 7, 3)
    log = simpy_engine.simulate(plan, workload)
    [start] = log.of_kind(Kind.START)
    other = changed(changed(log, "server", int(start)), "pool", int(start), -1)
    assert first_difference(plan, workload, log, other) == (
        f"event {start} differs: reference START case 0 (pool windows, server 0), "
        "compiled START case 0 (pool none, server 1), "
        "both at 2020-01-01 09:00:00 (seed 7, replication 3)"
    )


@pytest.mark.parametrize("which", ["reference", "compiled"])
def test_parity_check_notices_a_log_that_stops_early(which: str) -> None:
    plan = plan_of(CATALOGUE["one case"])
    workload = draw_workload(plan, 7, 3)
    log = simpy_engine.simulate(plan, workload)
    shorter = cut(log, len(log) - 1)
    pair = (log, shorter) if which == "reference" else (shorter, log)
    assert first_difference(plan, workload, *pair) == (
        f"event {len(log) - 1} differs: only {which} goes on, with DEPART case 0 "
        "at 2020-01-01 09:10:00 (seed 7, replication 3)"
    )


def test_a_changed_service_time_makes_the_engines_differ() -> None:
    """The comparison of the engines itself goes red."""
    plan = plan_of(CATALOGUE["overload"])
    workload = draw_workload(plan)
    longer = replace(workload, step_time=workload.step_time + 1)
    reference = simpy_engine.simulate(plan, workload)
    compiled = compiled_engine.simulate(plan, longer)
    message = first_difference(plan, workload, reference, compiled)
    assert message is not None
    assert "COMPLETE" in message
