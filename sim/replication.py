"""One replication: from a plan to its measures, by either engine; and whether both agree.

The SimPy engine is the definition, the compiled one is the same thing faster: it draws, simulates
and measures without keeping the log. Wherever it is used, `compare_engines` has compared a
replication with the definition first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from sim.draws import draw_workload
from sim.errors import EnginesDiffer
from sim.event_log import EventLog
from sim.metrics import Measures, measure
from sim.outcome import Outcome, Places, outcome_of, waits_without_service
from sim.plan import Plan
from sim.tally import tally
from sim.workload import Workload

Engine: TypeAlias = Literal["simpy", "compiled"]
STAGES: Final = ("draw", "simulate", "measure", "check")


@dataclass(frozen=True, eq=False)
class Replication:
    """What came out of one replication."""

    measures: Measures
    seconds: dict[str, float]
    """CPU time by stage, see STAGES."""


def replicate(
    plan: Plan, seed: int, replication: int, engine: Engine = "simpy", check: bool = False
) -> Replication:
    """Draw, simulate and measure.

    check  assert the laws that hold in every run.

    Raises LawViolated, RunawayError, and NoMachineCodeError for an engine that cannot be compiled.
    """
    clock = Clock()
    workload, came = _simulated(plan, seed, replication, engine, check, clock)
    if check:
        from sim.laws import assert_laws

        clock.timed("check", assert_laws, plan, workload, came)
    tallying = tally
    if engine == "compiled":
        from sim.engines import compiled_tally

        tallying = compiled_tally.tally
    measures = clock.timed("measure", measure, plan, workload, came, tallying)
    return Replication(measures, clock.seconds)


def replicate_outcome(
    plan: Plan, seed: int, replication: int, engine: Engine = "simpy"
) -> tuple[Workload, Outcome]:
    """Draw and simulate: what is drawn, and what came of it.

    Raises RunawayError, and NoMachineCodeError for an engine that cannot be compiled.
    """
    workload, came = _simulated(plan, seed, replication, engine, False, Clock())
    return workload, outcome_of(workload, came) if isinstance(came, EventLog) else came


def replicate_log(
    plan: Plan, seed: int, replication: int, engine: Engine = "simpy"
) -> tuple[Workload, EventLog]:
    """Draw and simulate: what is drawn, and every event; raises as `replicate_outcome` does."""
    workload, log = _simulated(plan, seed, replication, engine, True, Clock())
    assert isinstance(log, EventLog)
    return workload, log


def _simulated(
    plan: Plan, seed: int, replication: int, engine: Engine, with_log: bool, clock: Clock
) -> tuple[Workload, EventLog | Outcome]:
    """The workload, and its log if that is wanted or all that the engine gives."""
    if engine == "simpy":
        workload = clock.timed("draw", draw_workload, plan, seed, replication)
        return workload, clock.timed("simulate", _simulate_in_simpy, plan, workload)
    from sim.engines import compiled_draw, compiled_engine

    workload = clock.timed("draw", compiled_draw.draw_workload, plan, seed, replication)
    simulate = compiled_engine.simulate if with_log else compiled_engine.simulate_outcome
    return workload, clock.timed("simulate", simulate, plan, workload)


def compare_engines(plan: Plan, seed: int, replication: int = 0) -> None:
    """Run a replication in both engines.

    Raises EnginesDiffer with the first event that differs, or with what else does.
    """
    from sim.engines import compiled_draw, compiled_engine, compiled_tally
    from sim.engines.parity import first_difference

    workload = draw_workload(plan, seed, replication)
    compiled = compiled_draw.draw_workload(plan, seed, replication)
    where = f"(seed {seed}, replication {replication})"
    if column := _first_unequal(workload, compiled):
        raise EnginesDiffer(f"the engines drew different numbers: {column} {where}")
    log = _simulate_in_simpy(plan, workload)
    difference = first_difference(plan, workload, log, compiled_engine.simulate(plan, compiled))
    if difference is not None:
        raise EnginesDiffer(f"the engines disagree: {difference}")
    outcome = compiled_engine.simulate_outcome(plan, compiled)
    if column := _first_unequal(outcome_of(workload, log), outcome):
        raise EnginesDiffer(
            f"the compiled engine's outcome is not that of its log: {column} {where}"
        )
    came = plan, workload, outcome, waits_without_service(plan, outcome, Places(plan, workload))
    if column := _first_unequal(tally(*came), compiled_tally.tally(*came)):
        raise EnginesDiffer(f"the engines add up differently: {column} {where}")


def _first_unequal(reference: Any, other: Any) -> str | None:
    """The first array of a dataclass that differs from another's."""
    for column in fields(reference):
        expected, found = getattr(reference, column.name), getattr(other, column.name)
        if isinstance(expected, np.ndarray) and not np.array_equal(expected, found):
            return column.name
    return None


def _simulate_in_simpy(plan: Plan, workload: Workload) -> EventLog:
    from sim.engines.simpy_engine import simulate

    return simulate(plan, workload)


@dataclass(frozen=True)
class Clock:
    """CPU time by stage."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))

    def timed(self, stage: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function gives; the time that it takes is added to the stage's."""
        begun = time.process_time()
        result = function(*arguments)
        self.seconds[stage] += time.process_time() - begun
        return result
