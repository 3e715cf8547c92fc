"""What an experiment has to do, piece by piece: which engine does it, and one piece done.

A piece is done the same way wherever it is done: in this process, in another, on another machine.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, Literal, NamedTuple, TypeAlias

from sim.critical_path import split_times
from sim.draws import draw_workload
from sim.errors import EnginesDiffer, LawViolated, RunawayError
from sim.event_logs import log_file
from sim.memory import PLANS_AT_ONCE
from sim.plan import Plan
from sim.records import Record, splits_text
from sim.replication import Engine, compare_engines, replicate, replicate_log
from sim.texts import one_line

EngineChoice: TypeAlias = Literal["auto", "simpy", "compiled"]

BOTH_ENGINES: Final = "replication 0 identical in both engines"
"""What is to be said of the compiled engine."""
STEP_IN_SIMPY: Final = 8e-6
"""Seconds that a step takes there, about; it decides only what `auto` means."""
WORTH_LOADING, WORTH_COMPILING = 2.0, 40.0
"""Seconds that the compiled engine must save before it is loaded, or made for the first time."""


class Task(NamedTuple):
    """One thing to do: compare the engines on a replication, run it, split the time of its cases
    along their critical paths, or write its event log.
    """

    what: Literal["compare", "replicate", "split", "log"]
    scenario: str
    number: int = 0


@dataclass(frozen=True)
class Done:
    """What came of a task that was done."""

    record: Record | None = None
    """Of a replication."""
    splits: bytes | None = None
    """See `records.splits_text`."""
    log: bytes | None = None
    """A Parquet file."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """CPU time by stage."""


@dataclass(frozen=True)
class Failed:
    """Why a task could not be done."""

    reason: str
    """One line."""


@dataclass(frozen=True)
class Work:
    """What tasks are about."""

    plans: Mapping[str, Plan]
    """Of each scenario."""
    seed: int = 1
    check: bool = False
    """Whether to assert the laws that hold in every run."""
    engine: Engine = "simpy"
    remark: str = ""
    """What is to be said of the engine, in one line."""
    details: bool = True
    """Whether to keep the distributions of early replications."""

    def do(self, task: Task) -> Done | Failed:
        """Do one of them.

        Raises what puts every other replication in doubt too: EnginesDiffer, LawViolated; and
        MemoryError.
        """
        plan = self.plans[task.scenario]
        try:
            if task.what == "compare":
                compare_engines(plan, self.seed, task.number)
                return Done()
            if task.what == "log":
                return Done(log=log_file(plan, self.seed, task.number, self.engine))
            if task.what == "split":
                workload, log = replicate_log(plan, self.seed, task.number, self.engine)
                return Done(splits=splits_text(split_times(plan, workload, log)))
            found = replicate(plan, self.seed, task.number, self.engine, self.check)
        except (EnginesDiffer, LawViolated, MemoryError):
            raise
        except RunawayError as error:
            return Failed(one_line(error))
        except Exception as error:
            return Failed(one_line(f"{type(error).__name__}: {error}"))
        record = Record.of(found.measures, task.number, self.engine, self.details)
        return Done(record, seconds=found.seconds)


def replications_to_do(
    done: Mapping[str, Collection[int]],
    numbers: range,
    what: Literal["replicate", "split"] = "replicate",
) -> list[Task]:
    """The first replication of every scenario before the second of any, but for what is done.

    Many scenarios are done so many at a time that what engines make of their plans is kept.

    done  numbers of replications by scenario.
    """
    names = list(done)
    return [
        Task(what, name, number)
        for first in range(0, len(names), PLANS_AT_ONCE)
        for number in numbers
        for name in names[first : first + PLANS_AT_ONCE]
        if number not in done[name]
    ]


def choose_engine(
    work: Work, tasks: Sequence[Task], wanted: EngineChoice, say: Callable[[str], None]
) -> Work:
    """The same work with an engine that can do the tasks; `say` is told if that takes long.

    auto      the compiled engine where it saves time: not for small work.
    compiled  the SimPy engine all the same where nothing can be compiled.
    """
    if not tasks or wanted == "simpy" or (wanted == "auto" and not _is_worth(work, tasks)):
        return work
    from sim.engines.native import NoMachineCodeError

    if not _is_compiled() and importlib.util.find_spec("numba") is not None:
        say("compiling the engine, once on this machine: some 20 s")
    try:
        # Here, not in every worker.
        with suppress(RunawayError):
            replicate(work.plans[tasks[0].scenario], work.seed, 0, "compiled")
    except NoMachineCodeError as error:
        return replace(work, remark=f"the SimPy engine did everything: {error}")
    return replace(work, engine="compiled", remark=BOTH_ENGINES)


def _is_worth(work: Work, tasks: Sequence[Task]) -> bool:
    counts = Counter(task.scenario for task in tasks)
    saved = 0.0
    for name, count in counts.items():
        # One replication runs in SimPy in any case.
        if count > 1:
            steps = draw_workload(work.plans[name], work.seed).num_steps
            saved += STEP_IN_SIMPY * steps * (count - 1)
        # Of many scenarios the first ones tell.
        if saved > WORTH_COMPILING:
            return True
    return saved >= WORTH_LOADING and _is_compiled()


def _is_compiled() -> bool:
    """Whether nobody has to wait for the compiled engine."""
    from sim.engines import compiled_draw, compiled_engine, compiled_tally

    return all(part.is_ready() for part in (compiled_engine, compiled_draw, compiled_tally))
