"""Whole processes against their bars: time, memory, cost per case, start-up.

    python tests/benchmarks/whole.py [ROUNDS] [PART...] [--long]

    year      one year of a hall that never closes: a SimPy script, `hall run`, the Python interface
    years     a hundred of them
    lanzhou   a year of lanzhou-2020: a SimPy model of the same hall, and ours, CPU time in process
    six       likewise the six years of lanzhou-2015-2020, and the memory that they take
    memory    peak memory by number of replications (1000 only with --long)
    flat      cost per case by number of cases
    startup   help, check and show

Prints medians over interleaved rounds (5 unless told), and medians of ratios within a round; one
run before fills caches. Asserts nothing.
"""

from __future__ import annotations

import datetime as dt
import functools
import multiprocessing
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from sim.plan import Plan

COMPILED: Final = ["--engine", "compiled"]
JOBS: Final = ["--jobs", "2"]
"""Options of `hall run`; without them it runs as it does by default."""

ENVIRONMENT: Final = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
"""As after an installation, which compiles the modules."""

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
HALL: Final = [sys.executable, "-m", "sim"]
TUTORIAL: Final = str(ROOT / "scenarios" / "tutorial.yaml")
LANZHOU: Final = str(ROOT / "scenarios" / "lanzhou-2020.yaml")
SIX_YEARS: Final = str(ROOT / "scenarios" / "lanzhou-2015-2020.yaml")

PLAIN_YEARS: Final = 5
"""How many of a hundred years the plain script runs."""
IN_A_ROW: Final = 6
"""Replications of ours beside one of the plain model: one by itself is over too soon."""
MEMORY_REPLICATIONS: Final = (50, 200, 1000)
FLAT_CASES: Final = (10_000, 100_000, 1_000_000)
PER_DAY: Final = 1440
"""Cases a day in the small hall."""
HEAVY: Final = ("numba", "scipy.stats", "pandas", "matplotlib")


def ours(plan: Plan, replication: int) -> tuple[dict[str, float], Any]:
    """CPU seconds of each stage of one replication, and what was measured."""
    from sim.replication import replicate

    found = replicate(plan, 1, replication, "compiled")
    stages = {"draw": "draw", "simulate": "engine", "measure": "metrics"}
    return {name: found.seconds[stage] for stage, name in stages.items()}, found.measures


# -- Measuring ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What a process took, with the processes that it started."""

    wall: float
    cpu: float
    memory: float
    """Peak of the largest process, MiB."""


def run(command: Sequence[str]) -> Run:
    """Run a command to its end, in an empty folder; leaves this program if it fails."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as complaints:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=complaints
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            complaints.seek(0)
            sys.exit(f"{shlex.join(command)}: exit code {process.returncode}\n{complaints.read()}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def interleaved(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, list[Run]]:
    """So many runs of each command, in turn, after one that fills caches."""
    for command in commands.values():
        run(command)
    turns = [{name: run(command) for name, command in commands.items()} for _ in range(rounds)]
    return {name: [turn[name] for turn in turns] for name in commands}


def ratio(those: Iterable[float], these: Iterable[float]) -> float:
    """Median of the ratios within a round."""
    return statistics.median(a / b for a, b in zip(those, these, strict=True))


def at_least(value: float, bar: float) -> str:
    """A value beside its bar."""
    return f"{value:.2f}, bar {bar:g}: {'met' if value >= bar else 'not met'}"


def at_most(value: float, bar: float) -> str:
    """A value beside its bar."""
    return f"{value:.2f}, bar {bar:g}: {'met' if value <= bar else 'not met'}"


def times(runs: Sequence[Run], factor: float = 1) -> str:
    """Median times."""
    wall = statistics.median(r.wall for r in runs) * factor
    cpu = statistics.median(r.cpu for r in runs) * factor
    return f"{wall:8.2f} s wall {cpu:8.2f} s CPU"


# -- Parts ----------------------------------------------------------------------------------------


def startup(rounds: int, is_long: bool) -> None:
    """Help, check and show against the import of numpy."""
    commands = {
        "import numpy": [sys.executable, "-c", "import numpy"],
        "hall --help": [*HALL, "--help"],
        "hall check": [*HALL, "check", TUTORIAL],
        "hall show": [*HALL, "show", TUTORIAL],
    }
    runs = interleaved(commands, rounds)
    numpy = [r.wall for r in runs["import numpy"]]
    print(f"start-up, {rounds} rounds")
    for name, command in commands.items():
        line = f"  {name:14} {times(runs[name])}"
        if command[: len(HALL)] == HALL:
            found = " ".join(heavy_imports(command[len(HALL) :])) or "none"
            against = at_most(ratio([r.wall for r in runs[name]], numpy), 4)
            line += f"   / import numpy {against}   heavy imports: {found}"
        print(line)


def heavy_imports(arguments: Sequence[str]) -> list[str]:
    """Which of the heavy packages a command imports."""
    code = (
        "import sys; from sim.cli import main\n"
        "try: main(sys.argv[1:])\n"
        f"finally: print(*(m for m in {HEAVY} if m in sys.modules), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *arguments]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return ended.stderr.splitlines()[-1].split()


def year(rounds: int, is_long: bool) -> None:
    """One year."""
    with tempfile.TemporaryDirectory() as folder:
        file = year_file(folder)
        commands = {
            "plain_year.py": plain_years(1),
            "hall run": [*HALL, "run", file, "--replications", "1"],
            "our_year.py": [sys.executable, str(HERE / "our_year.py"), file],
        }
        runs = interleaved(commands, rounds)
    plain = [r.wall for r in runs["plain_year.py"]]
    print(f"one year, {rounds} rounds")
    for name in commands:
        line = f"  {name:14} {times(runs[name])}"
        if name != "plain_year.py":
            line += f"   plain / it {at_least(ratio(plain, [r.wall for r in runs[name]]), 3)}"
        print(line)


def years(rounds: int, is_long: bool) -> None:
    """A hundred years."""
    scale = 100 // PLAIN_YEARS
    options = ["-r", "100", *JOBS, *COMPILED]
    with tempfile.TemporaryDirectory() as folder:
        command = [*HALL, "run", year_file(folder), *options]
        runs = interleaved({"plain": plain_years(PLAIN_YEARS), "hall": command}, rounds)
    plain, hall = runs["plain"], runs["hall"]
    against = ratio([r.wall * scale for r in plain], [r.wall for r in hall])
    per_core = ratio([r.cpu * scale for r in plain], [r.cpu for r in hall])
    print(f"100 years, {rounds} rounds; plain: {PLAIN_YEARS} years, times {scale}")
    print(f"  plain_year.py  {times(plain, scale)}")
    print(f"  hall run       {times(hall)}   {shlex.join(options)}")
    print(f"  plain / hall   wall {at_least(against, 60)}   per core (CPU) {per_core:.2f}")


def plain_years(count: int) -> list[str]:
    """The command that runs so many years of the plain script."""
    return [sys.executable, str(HERE / "plain_year.py"), str(count)]


def year_file(folder: str) -> str:
    """The scenario file of a year."""
    file = Path(folder, "year.yaml")
    with file.open("w") as output:
        subprocess.run([sys.executable, str(HERE / "year_hall.py")], stdout=output, check=True)
    return str(file)


def memory(rounds: int, is_long: bool) -> None:
    """Peak memory by number of replications, one run of each."""
    print(f"lanzhou-2020, peak memory, {shlex.join(COMPILED)}")
    run([*HALL, "run", LANZHOU, "-r", "1", *COMPILED])
    for replications in MEMORY_REPLICATIONS[: None if is_long else -1]:
        took = run([*HALL, "run", LANZHOU, "-r", str(replications), *COMPILED])
        each = took.wall / replications * 1000
        print(f"  -r {replications:<5} {took.memory:8.0f} MiB {each:8.1f} ms a replication")


def lanzhou(rounds: int, is_long: bool) -> None:
    """A year of lanzhou-2020, in process."""
    in_process(LANZHOU, "lanzhou-2020, one year", rounds)


def six(rounds: int, is_long: bool) -> None:
    """Six years of reforms, in process; and the peak memory of a process that only measures."""
    # First: a process begins with the peak of the one that starts it.
    code = f"import sim; plan = sim.compile_plan(sim.load({SIX_YEARS!r})); "
    code += "sim.replicate(plan, seed=1, replication=0, engine='compiled')"
    memory = run([sys.executable, "-c", code]).memory
    print(f"lanzhou-2015-2020, metrics alone: {memory:.0f} MiB {at_most(memory, 500 / 1.048576)}")
    in_process(SIX_YEARS, "lanzhou-2015-2020, six years", rounds)


def in_process(path: str, name: str, rounds: int) -> None:
    """Replications of a scenario beside a SimPy model of the same hall, each in one process."""
    import plain_hall

    plain_seconds, plain_figures, our_seconds, our_figures = [], [], [], []
    with process_of(path) as theirs, process_of(path) as mine:
        for replication in range(rounds):
            seconds, figures = theirs.submit(plain_in_process, path, replication).result()
            plain_seconds.append(seconds)
            plain_figures.append(figures)
            stages, figures = mine.submit(ours_in_process, path, replication).result()
            our_seconds.append(stages)
            our_figures.append(figures)
    totals = [sum(seconds.values()) for seconds in our_seconds]
    against = ratio(plain_seconds, totals)
    print(f"{name} in process, {rounds} rounds, CPU time")
    print(f"  plain_hall   {statistics.median(plain_seconds):8.3f} s")
    print(
        f"  ours         {statistics.median(totals):8.3f} s   plain / ours {at_least(against, 60)}"
    )
    for stage in our_seconds[0]:
        mine_of_stage = [seconds[stage] for seconds in our_seconds]
        print(
            f"    {stage:10} {statistics.median(mine_of_stage):8.3f} s"
            f"   {ratio(mine_of_stage, totals):4.0%}"
        )
    promises = sim_plan(path).scenario.promises
    plain_hall.print_agreement(plain_figures, our_figures, promises)


def process_of(path: str) -> ProcessPoolExecutor:
    """A process that has the plan of a scenario, and memory that nobody else has used."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, context, sim_plan, (path,))


@functools.cache
def sim_plan(path: str) -> Plan:
    """The plan of a scenario, which the process remembers."""
    import sim

    return sim.compile_plan(sim.load(path))


def plain_in_process(path: str, replication: int) -> tuple[float, dict[tuple[str, str], Any]]:
    """CPU seconds and figures of the plain model."""
    import plain_hall

    plan = sim_plan(path)
    begun = time.process_time()
    figures = plain_hall.simulate(plan, seed=replication)
    return time.process_time() - begun, figures


def ours_in_process(path: str, first: int) -> tuple[dict[str, float], dict[tuple[str, str], float]]:
    """Mean CPU seconds by stage of `IN_A_ROW` replications, and the values of the first."""
    found = [ours(sim_plan(path), first + n) for n in range(IN_A_ROW)]
    stages = {name: statistics.mean(seconds[name] for seconds, _ in found) for name in found[0][0]}
    return stages, found[0][1].values


def flat(rounds: int, is_long: bool) -> None:
    """Cost per case in one replication, by number of cases."""
    plans = {cases: small_plan(cases) for cases in FLAT_CASES}
    costs: dict[int, list[dict[str, float]]] = {cases: [] for cases in plans}
    for replication in range(rounds):
        for cases, plan in plans.items():
            ours(plan, rounds)  # fills caches, which the others have emptied
            # A short one is over too soon to be timed.
            timed = [ours(plan, replication) for _ in range(max(1, FLAT_CASES[1] // cases))]
            per_case = 1e6 / timed[0][1].values["arrivals", "hall"]
            costs[cases].append(
                {
                    stage: statistics.mean(seconds[stage] for seconds, _ in timed) * per_case
                    for stage in timed[0][0]
                }
            )
    print(f"small hall, cost per case in one replication, {rounds} rounds, CPU us")
    totals = []
    for cases, found in costs.items():
        stages = "".join(
            f"   {stage} {statistics.median(cost[stage] for cost in found):6.2f}"
            for stage in found[0]
        )
        totals.append(statistics.median(sum(cost.values()) for cost in found))
        print(f"  {cases:>9,} cases   total {totals[-1]:6.2f}{stages}")
    print(f"  dearest / cheapest {at_most(max(totals) / min(totals), 1.2)}")


def small_plan(cases: int) -> Plan:
    """The small hall for about so many cases."""
    import small_hall

    import sim

    scenario = sim.scenario_from(small_hall.scenario_data())
    days = dt.timedelta(days=round(cases / PER_DAY))
    # Past the checks: a million cases are more than a scenario file may ask for.
    to = scenario.horizon.from_ + days - dt.timedelta(days=1)
    horizon = scenario.horizon.model_copy(update={"to": to})
    return sim.compile_plan(scenario.model_copy(update={"horizon": horizon}))


# Those that run in this process come last: a new process counts the memory of the one that starts
# it as its own peak.
PARTS: Final[dict[str, Callable[[int, bool], None]]] = {
    part.__name__: part for part in (startup, memory, year, years, lanzhou, six, flat)
}


def main(words: Sequence[str]) -> None:
    """Run and print."""
    rounds = next((int(word) for word in words if word.isdigit()), 5)
    chosen = [word for word in words if not word.isdigit() and word != "--long"]
    if unknown := set(chosen) - set(PARTS):
        sys.exit(f"no part {', '.join(sorted(unknown))}; parts: {', '.join(PARTS)}")
    for name, part in PARTS.items():
        if name in chosen or not chosen:
            part(rounds, "--long" in words)


if __name__ == "__main__":
    main(sys.argv[1:])
