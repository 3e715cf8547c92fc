"""Our compiled engine beside other simulators on the same two models, in one run.

    pip install -e '.[bench]'
    python tests/benchmarks/peers.py [ROUNDS]

CPU time per case with the draws, on one core. In each round every peer has its turn with the seed
of the round, and ours right after it. Every model has a process of its own, as with those who use
it: in memory that another has used, large arrays are a third slower. In a turn the first
run is not timed: all is compiled by then, and the memory is there; the runs after it are, as many
as take a quarter of a second. A ratio is the median over the rounds of the peer's time / ours.
Prints tables beside the bars that we have set ourselves, and asserts nothing; a peer that is not
installed is left out.
"""

from __future__ import annotations

import functools
import importlib
import multiprocessing
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field

from sim.queueing import mmc_waiting_time

OURS = "ours"
"""Our module in `models`. Each function there makes of a number of cases and a seed how many cases
there were, and the mean of what they took."""

DEFAULT_ROUNDS = 5
LEAST_SECONDS = 0.25

DRAWS, STEP_LOG, EVENT_LOG = "draws counted", "step log kept", "event log kept"
IN_SERIES = "in series"
"""Draws counted, and one check after the other: what Ciw can do."""


@dataclass(frozen=True)
class Peer:
    """A model of another tool; module and function are in `models`."""

    name: str
    module: str
    function: str
    num_cases: int
    bars: dict[str, float | None]
    """By what is kept of our run: its time / ours should be this or more; None, any will do.
    Below 1 for the floor in C, which nothing general can reach."""


@dataclass(frozen=True)
class Comparison:
    """One model, in all tools."""

    title: str
    measured: str
    expected: str
    ours: dict[str, tuple[str, int]]
    """By what is kept of a run: the function and how many cases."""
    peers: Sequence[Peer]


HALL = Comparison(
    "hall: 5 pools, two checks in parallel, 5 % urgent, 10 % rework",
    "mean time, min",
    "about 20.94, with the checks in series about 23.5",
    {
        DRAWS: ("hall", 144_000),
        STEP_LOG: ("hall", 144_000),
        EVENT_LOG: ("hall_event_log", 144_000),
        IN_SERIES: ("hall_in_series", 144_000),
    },
    [
        Peer(
            "plain SimPy",
            "plain_simpy",
            "hall",
            20_000,
            {DRAWS: 120, STEP_LOG: 100, EVENT_LOG: None},
        ),
        Peer("plain SimPy, in series", "plain_simpy", "hall_in_series", 10_000, {IN_SERIES: None}),
        Peer("Ciw, in series", "ciw_models", "hall_in_series", 8_000, {IN_SERIES: 250}),
        Peer("salabim", "salabim_models", "hall", 1_500, {DRAWS: 2000}),
        Peer("cimba, server processes", "cimba_models", "hall", 200_000, {DRAWS: 2, STEP_LOG: 1.7}),
        Peer("  queues recorded", "cimba_models", "hall_recorded", 200_000, {STEP_LOG: 1.7}),
        Peer("cimba, process a case", "cimba_models", "hall_of_cases", 50_000, {DRAWS: None}),
        Peer("C event heap", "event_heap", "hall", 200_000, {DRAWS: 1 / 1.8}),
    ],
)

MM2 = Comparison(
    "M/M/2: arrival rate 1.6, service rate 1",
    "mean wait",
    f"{mmc_waiting_time(1.6, 1.0, 2):.4f} in theory",
    {DRAWS: ("mm2", 200_000)},
    [
        Peer("plain SimPy", "plain_simpy", "mm2", 50_000, {DRAWS: 130}),
        Peer("Ciw", "ciw_models", "mm2", 20_000, {DRAWS: 200}),
        Peer("salabim", "salabim_models", "mm2", 5_000, {DRAWS: 2000}),
        Peer("cimba, server processes", "cimba_models", "mm2", 200_000, {DRAWS: 2}),
        Peer("cimba, process a case", "cimba_models", "mm2_of_cases", 50_000, {DRAWS: None}),
        Peer("C event heap", "event_heap", "mm2", 200_000, {DRAWS: 1 / 2.7}),
    ],
)


@dataclass
class Turns:
    """What one tool took, a value a round."""

    num_cases: int = 0
    microseconds: list[float] = field(default_factory=list)
    means: list[float] = field(default_factory=list)

    def take(self, process: ProcessPoolExecutor, module: str, function: str, *of: int) -> None:
        """One more, of so many cases with a seed."""
        seconds, self.num_cases, mean = process.submit(turn, module, function, *of).result()
        self.microseconds.append(seconds / self.num_cases * 1e6)
        self.means.append(mean)

    def over(self, other: Turns) -> float:
        """How many times as long these took: the median over the rounds."""
        pairs = zip(self.microseconds, other.microseconds, strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)

    def row(self) -> str:
        """Cases, CPU time per case, and the mean with its standard error."""
        error = float("nan")
        if len(self.means) > 1:
            error = statistics.stdev(self.means) / len(self.means) ** 0.5
        mean = f"{statistics.mean(self.means):.3f} +- {error:.3f}"
        return f"{self.num_cases:9d}{statistics.median(self.microseconds):10.3f}{mean:>18}"


def turn(module: str, function: str, num_cases: int, seed: int) -> tuple[float, int, float]:
    """CPU seconds of a run of a model after a first one, and what came of it."""
    model = getattr(importlib.import_module(f"models.{module}"), function)
    model(num_cases, seed)
    runs, begun = 0, time.process_time()
    while time.process_time() - begun < LEAST_SECONDS:
        cases, mean = model(num_cases, seed)
        runs += 1
    return (time.process_time() - begun) / runs, cases, mean


@dataclass
class Result:
    """A peer's turns, and ours right after them by what we kept."""

    peer: Peer
    turns: Turns
    ours: dict[str, Turns]


def measure(comparison: Comparison, rounds: int) -> list[Result]:
    """Every peer that is installed, in the order of the comparison."""
    results = []
    for peer in comparison.peers:
        try:
            importlib.import_module(f"models.{peer.module}")
        except ImportError as missing:
            print(f"{peer.name.strip()} is left out: {missing}")
            continue
        results.append(Result(peer, Turns(), {kept: Turns() for kept in peer.bars}))
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:

        @functools.cache
        def process_of(module: str, function: str) -> ProcessPoolExecutor:
            return stack.enter_context(ProcessPoolExecutor(1, context))

        for seed in range(rounds):
            for result in results:
                peer = result.peer
                model = peer.module, peer.function
                result.turns.take(process_of(*model), *model, peer.num_cases, seed)
                for kept, turns in result.ours.items():
                    function, num_cases = comparison.ours[kept]
                    process = process_of(OURS, function)
                    turns.take(process, OURS, function, num_cases, seed)
    return results


def show(comparison: Comparison, results: Sequence[Result]) -> None:
    """Print one table: ours, then the peers beside the bars."""
    print(f"\n{comparison.title}\n{comparison.measured}: {comparison.expected}\n")
    print(f"{'':24}{'cases':>9}{'us / case':>10}{comparison.measured:>18}")
    for kept in comparison.ours:
        beside = [result.ours[kept] for result in results if kept in result.ours]
        if beside:
            # The same seeds beside each peer: what one of them saw, all saw.
            times = [value for turns in beside for value in turns.microseconds]
            row = Turns(beside[0].num_cases, times, beside[0].means).row()
            print(f"{'ours, ' + kept:24}{row}")
    print(f"{'':63}{'beside ours':15}{'peer / ours':>12}{'bar':>7}")
    for result in results:
        line = f"{result.peer.name:24}{result.turns.row()}"
        for kept, bar in result.peer.bars.items():
            ratio = result.turns.over(result.ours[kept])
            verdict = ""
            if bar is not None:
                verdict = f"{_short(bar):>7}  {'met' if ratio >= bar else 'not met'}"
            print(f"{line:63}{kept:15}{_short(ratio):>12}{verdict}")
            line = ""


def show_both_ways(results: Sequence[Result]) -> None:
    """Print how Ciw, which has no checks in parallel, compares to plain SimPy."""
    turns = {result.peer.name: result.turns for result in results}
    if "Ciw, in series" in turns:
        for simpy in ("plain SimPy, in series", "plain SimPy"):
            ratio = turns["Ciw, in series"].over(turns[simpy])
            print(f"Ciw, in series / {simpy}: {_short(ratio)}")


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def main(rounds: int) -> None:
    """Run and print."""
    print(f"{rounds} rounds, CPU time per case, medians")
    results = measure(HALL, rounds)
    show(HALL, results)
    show_both_ways(results)
    show(MM2, measure(MM2, rounds))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_ROUNDS)
