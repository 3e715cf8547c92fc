"""Staffing against its bar: a search takes at most the time of 500 replications.

    pip install -e '.[fast]'
    python tests/benchmarks/staffing.py [ROUNDS]

Whole processes, start-up, both-engine checks, tables and figure counted, of lanzhou-2020 by the
compiled engine, caches warm, every run in a folder of its own: `hall staff` over five pools beside
`hall run -r 500`, with one process and with two. Prints medians over interleaved rounds (3 unless
told) of the CPU time, in which others on the machine count less, and of the wall time; and medians
of ratios within a round. Asserts nothing.

    staff / 500 replications           at most 1
    the same command again             in a moment
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Final

from whole import ENVIRONMENT, HALL, LANZHOU

REPLICATIONS: Final = 500
POOLS: Final = ("comprehensive_windows", "registrars", "engravers", "tax_windows", "bank_desks")
OPTIONS: Final = ["--engine", "compiled", "-o", "r"]
STAFF: Final = [*HALL, "staff", LANZHOU, *OPTIONS, *(f"--pool={pool}" for pool in POOLS)]
RUN: Final = [*HALL, "run", LANZHOU, *OPTIONS, "-r", str(REPLICATIONS)]


def seconds(command: list[str], folder: str) -> tuple[float, float]:
    """CPU and wall time of a command; leaves this program if it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    found = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    wall = time.perf_counter() - begun
    if found.returncode:
        sys.exit(f"{' '.join(command)}\n{found.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def main(rounds: int) -> None:
    for jobs in ("1", "2"):
        taken: dict[str, list[tuple[float, float]]] = {"staff": [], "again": [], "run": []}
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                taken["staff"].append(seconds([*STAFF, "-j", jobs], folder))
                taken["again"].append(seconds([*STAFF, "-j", jobs], folder))
            with tempfile.TemporaryDirectory() as folder:
                taken["run"].append(seconds([*RUN, "-j", jobs], folder))
        print(f"{jobs} process{'es' * (jobs != '1')}, {rounds} rounds")
        for number, kind in enumerate(("CPU", "wall")):
            times = {name: [pair[number] for pair in pairs] for name, pairs in taken.items()}
            ratio = statistics.median(
                ours / theirs for ours, theirs in zip(times["staff"], times["run"], strict=True)
            )
            staff, again, run = (statistics.median(times[name]) for name in taken)
            print(
                f"  {kind:4} staff {staff:6.2f} s   {REPLICATIONS} replications {run:6.2f} s   "
                f"ratio {ratio:.2f} (bar 1)   again {again:5.2f} s"
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
