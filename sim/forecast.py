"""What a run would take, before it is run: measured on one replication of each scenario."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from sim.definition import Definition
from sim.draws import draw_workload
from sim.errors import ResultsError
from sim.loading import Loaded
from sim.planning import compile_plan
from sim.replication import replicate
from sim.store import open_to_read
from sim.tasks import STEP_IN_SIMPY, EngineChoice, Work, choose_engine, replications_to_do
from sim.texts import one_line


def forecast(
    scenarios: Mapping[str, Loaded],
    replications: int,
    seed: int,
    folder: Path,
    engine: EngineChoice,
    jobs: int,
    say: Callable[[str], None],
) -> list[str]:
    """Lines: what is kept and what is to be run, by which engine, how long and how much memory."""
    definition = Definition.of(scenarios, seed)
    plans = {name: compile_plan(loaded.scenario) for name, loaded in scenarios.items()}
    done: dict[str, set[int]] = {name: set() for name in plans}
    with suppress(ResultsError), open_to_read(folder) as store:
        if not definition.differences(store.definition):
            done = {name: store.done(name) for name in plans}
    tasks = replications_to_do(done, range(replications))
    num_all = replications * len(plans)
    lines = [f"{one_line(folder)}: {num_all - len(tasks)} of {num_all} replications are there"]
    if not tasks:
        return [*lines, "nothing is to be run"]
    work = choose_engine(Work(plans, seed), tasks, engine, say)
    seconds = 0.0
    for name, plan in plans.items():
        count = sum(task.scenario == name for task in tasks)
        each = sum(replicate(plan, seed, 0, work.engine).seconds.values())
        lines.append(f"  {one_line(name)}: {count} to run, {each:.2g} s each")
        seconds += count * each
        if work.engine == "compiled":
            seconds += 2 * STEP_IN_SIMPY * draw_workload(plan, seed).num_steps
    lines.append(
        f"some {_time(seconds / jobs)} with {jobs} worker process{'es' * (jobs > 1)} by the "
        f"{work.engine} engine{_peak_memory()}"
    )
    return [*lines, "measured on replication 0 of each scenario; nothing was written"]


def _time(seconds: float) -> str:
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else "1 s"


def _peak_memory() -> str:
    """What this process has needed so far, where the system says it."""
    if sys.platform == "win32":
        return ""
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return f", and {peak / 2 ** (20 if sys.platform == 'darwin' else 10):,.0f} MB in each process"
