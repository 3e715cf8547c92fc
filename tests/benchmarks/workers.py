"""Workers and keeping against their bars: two processes, a Dask cluster, what the store costs.

    pip install -e '.[fast,cluster]'
    python tests/benchmarks/workers.py [ROUNDS]

Whole processes, start-up counted, of 200 replications of lanzhou-2020 by the compiled engine,
caches warm, every run in a folder of its own. Prints medians over interleaved rounds (3 unless
told) and medians of ratios within a round. Asserts nothing.

    one worker / two                   at least 1.8
    keeping, progress and bookkeeping  below 10 % of the time of the replications themselves
    Dask cluster / two workers         at most 1.25; two worker processes over TCP, started before

Two runs of one worker each that begin at once tell what a second processor is worth here: on a
machine that is shared with others it may be anything from nothing to as much as the first.
"""

from __future__ import annotations

import importlib.util
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whole import ENVIRONMENT, HALL, LANZHOU

REPLICATIONS: Final = 200
DASK: Final = "Dask, 2 workers"
AT_ONCE: Final = "2 runs at once"
RUN: Final = [*HALL, "run", LANZHOU, "--engine", "compiled", "-r", str(REPLICATIONS)]


def seconds(command: list[str], at_once: int = 1) -> float:
    """Wall time of a command, so many of them at once, each in an empty folder.

    Leaves this program if it fails.
    """
    options = {"env": ENVIRONMENT, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(at_once)]
        begun = time.perf_counter()
        processes = [subprocess.Popen(command, cwd=folder, **options) for folder in folders]
        errors = [process.communicate()[1] for process in processes]
        taken = time.perf_counter() - begun
    for process, error in zip(processes, errors, strict=True):
        if process.returncode:
            sys.exit(f"{' '.join(command)}\n{error.decode()}")
    return taken


@dataclass
class Cluster:
    """A scheduler with two worker processes of one thread."""

    address: str
    processes: list[subprocess.Popen[bytes]]

    def signal(self, number: signal.Signals) -> None:
        """Stop it while others have their turn, or let it go on."""
        for process in self.processes:
            process.send_signal(number)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """One that is ready."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        file = Path(folder, "scheduler.json")
        options = ["--host", "127.0.0.1", "--no-dashboard"]
        dask = [sys.executable, "-m", "dask"]
        scheduler = [*dask, "scheduler", *options, "--port", "0", "--scheduler-file", str(file)]
        worker = [*dask, "worker", "--scheduler-file", str(file), *options, "--nthreads", "1"]
        processes = []
        for command in (scheduler, worker, worker):
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, **quiet)
            stack.callback(process.wait)
            stack.callback(process.kill)
            processes.append(process)
        from distributed import Client

        with Client(scheduler_file=str(file), timeout=60) as client:
            client.wait_for_workers(2, timeout=60)
            address = client.scheduler.address
        yield Cluster(address, processes)


def keeping(rounds: int) -> float:
    """Time in the parent for keeping a replication / time of the replication itself."""
    from sim.definition import Definition
    from sim.loading import load_document
    from sim.planning import compile_plan
    from sim.records import Record
    from sim.replication import replicate
    from sim.store import open_to_write

    loaded = load_document(LANZHOU)
    plan = compile_plan(loaded.scenario)
    replicate(plan, 1, 0, "compiled")
    ratios = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            own = kept = 0.0
            with open_to_write(Path(folder), Definition.of({"lanzhou": loaded}, 1)) as store:
                for number in range(REPLICATIONS):
                    begun = time.perf_counter()
                    measures = replicate(plan, 1, number, "compiled").measures
                    done = time.perf_counter()
                    store.add("lanzhou", number, Record.of(measures, number, "compiled"))
                    own, kept = own + done - begun, kept + time.perf_counter() - done
                begun = time.perf_counter()
                store.commit()
                kept += time.perf_counter() - begun
            ratios.append(kept / own)
    return statistics.median(ratios)


def main() -> None:
    """Print all of it."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    commands = {"1 worker": RUN, "2 workers": [*RUN, "-j", "2"], AT_ONCE: RUN}
    with ExitStack() as stack:
        dask = None
        if importlib.util.find_spec("distributed"):
            dask = stack.enter_context(cluster())
            commands[DASK] = [*RUN, "--cluster", dask.address]
            dask.signal(signal.SIGSTOP)
        taken: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds + 1):
            for name, command in commands.items():
                if dask is not None and name == DASK:
                    dask.signal(signal.SIGCONT)
                taken[name].append(seconds(command, 2 if name == AT_ONCE else 1))
                if dask is not None and name == DASK:
                    dask.signal(signal.SIGSTOP)
    # The first round fills caches.
    taken = {name: times[1:] for name, times in taken.items()}
    print(f"{REPLICATIONS} replications of lanzhou-2020, whole processes, {rounds} rounds")
    for name, times in taken.items():
        print(f"  {name:16} {statistics.median(times):6.2f} s")
    for one, other, bar in (
        ("1 worker", "2 workers", "at least 1.8"),
        (DASK, "2 workers", "at most 1.25"),
    ):
        if one in taken:
            ratio = statistics.median(a / b for a, b in zip(taken[one], taken[other], strict=True))
            print(f"  {one} / {other}: {ratio:.2f} ({bar})")
    worth = [2 * a / b for a, b in zip(taken["1 worker"], taken[AT_ONCE], strict=True)]
    print(f"  twice 1 worker / {AT_ONCE}: {statistics.median(worth):.2f}, what this machine gives")
    print(f"  keeping: {100 * keeping(rounds):.1f} % of the replications' own time (below 10 %)")


if __name__ == "__main__":
    main()
