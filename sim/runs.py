"""The replications of an experiment: which engine does them, and on how many cores.

Results come in one order, the first replication of every scenario before the second of any,
whatever the number of workers, so that what is there can be compared pair by pair.
"""

from __future__ import annotations

import importlib.util
import itertools
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from sim.draws import draw_workload
from sim.errors import HallError
from sim.plan import Plan
from sim.replication import Engine, Replication, compare_engines, replicate

EngineChoice: TypeAlias = Literal["auto", "simpy", "compiled"]

STEP_IN_SIMPY: Final = 8e-6
"""Seconds that a step takes there, about; it decides only what `auto` means."""
WORTH_LOADING, WORTH_COMPILING = 2.0, 40.0
"""Seconds that the compiled engine must save before it is loaded, or made for the first time."""
MOST_ON_WINDOWS: Final = 61
"""Processes that can be waited for there."""
AHEAD: Final = 100
"""Runs per worker that are handed out before the first of them is taken back."""


@dataclass(frozen=True)
class Runs:
    """What is to be run: so many replications of each plan, by name."""

    plans: Mapping[str, Plan]
    replications: int
    seed: int = 1
    check: bool = False
    engine: Engine = "simpy"
    remark: str = ""
    """What is to be said of the engine, in one line."""

    @property
    def num_tasks(self) -> int:
        """Replications, and the comparisons of the engines."""
        return len(self.plans) * (self.replications + (self.engine == "compiled"))

    def results(
        self, jobs: int = 1, meanwhile: Callable[[], object] = lambda: None
    ) -> Iterator[tuple[str, int, Replication] | None]:
        """Scenario, number and results of each replication; None for each comparison that is done.

        meanwhile  called once when the workers, if there are several, have begun.

        Raises what `replicate` and `compare_engines` raise, HallError if a worker dies.
        """
        keys = [(name, number) for number in range(self.replications) for name in self.plans]
        tasks = [(name, None) for name in self.plans if self.engine == "compiled"] + keys
        for (name, number), result in _in_turn(self, tasks, jobs, meanwhile):
            yield None if result is None else (name, number, result)


def choose_engine(runs: Runs, wanted: EngineChoice, say: Callable[[str], None]) -> Runs:
    """The same runs with an engine that can do them; `say` is told if that takes long.

    auto      the compiled engine where it saves time: not for small work.
    compiled  the SimPy engine all the same where nothing can be compiled.
    """
    if wanted == "simpy" or (wanted == "auto" and not _is_worth_compiling(runs)):
        return runs
    from sim.engines.native import NoMachineCodeError

    if not _is_compiled() and importlib.util.find_spec("numba") is not None:
        say("compiling the engine, once on this machine: some 20 s")
    try:
        # Here, not in every worker.
        replicate(next(iter(runs.plans.values())), runs.seed, 0, "compiled")
    except NoMachineCodeError as error:
        return replace(runs, remark=f"the SimPy engine did everything: {error}")
    return replace(runs, engine="compiled", remark="replication 0 identical in both engines")


def _is_worth_compiling(runs: Runs) -> bool:
    if runs.replications == 1:
        return False  # which runs in SimPy in any case
    steps = sum(draw_workload(plan, runs.seed).num_steps for plan in runs.plans.values())
    saved = steps * (runs.replications - 1) * STEP_IN_SIMPY
    if saved < WORTH_LOADING:
        return False
    return _is_compiled() or saved > WORTH_COMPILING


def _is_compiled() -> bool:
    """Whether nobody has to wait for the compiled engine."""
    from sim.engines import compiled_draw, compiled_engine, compiled_tally

    return all(part.is_ready() for part in (compiled_engine, compiled_draw, compiled_tally))


Task: TypeAlias = tuple[str, Any]
"""Scenario and number of the replication, None for the comparison of the engines."""


def _in_turn(
    runs: Runs, tasks: list[Task], jobs: int, meanwhile: Callable[[], object]
) -> Iterator[tuple[Task, Any]]:
    """Each task with its result, in their order."""
    if jobs == 1:
        for task in tasks:
            yield task, _do(runs, task)
        return
    waiting: deque[tuple[Task, Future[Any]]]
    # A copy of this process has the plans and the machine code already.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    most = MOST_ON_WINDOWS if sys.platform == "win32" else len(tasks)
    others = multiprocessing.active_children()
    pool = ProcessPoolExecutor(min(jobs, len(tasks), most), context, _begin_work, (runs,))
    try:
        ahead = itertools.islice(todo := iter(tasks), AHEAD * jobs)
        waiting = deque((task, pool.submit(_do_here, task)) for task in ahead)
        meanwhile()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
            waiting.extend((t, pool.submit(_do_here, t)) for t in itertools.islice(todo, 1))
    except BrokenProcessPool as error:
        raise HallError(
            "a worker process has died, of a signal or for want of memory: try fewer --jobs"
        ) from error
    except BaseException:
        for process in set(multiprocessing.active_children()).difference(others):
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


_runs: Runs


def _begin_work(runs: Runs) -> None:
    """What a worker process knows."""
    global _runs
    _runs = runs
    # Who started it is told to stop, and stops it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent is killed has nobody left to work for."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _do_here(task: Task) -> Replication | None:
    return _do(_runs, task)


def _do(runs: Runs, task: Task) -> Replication | None:
    name, number = task
    plan = runs.plans[name]
    if number is None:
        compare_engines(plan, runs.seed)
        return None
    return replicate(plan, runs.seed, number, runs.engine, runs.check)
