"""The SimPy engine against a plain SimPy model of the same small hall, side by side in one run.

    python tests/benchmarks/simpy_engine.py [ROUNDS]

Prints CPU time per case, medians of interleaved rounds, as ratios: plain / engine (the whole event
log kept), and drawing and metrics against the engine. Asserts nothing. Then the same shares for a
year of lanzhou-2020.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from small_hall import DAYS, run_plain, scenario_data

from sim.draws import draw_workload
from sim.engines.simpy_engine import simulate
from sim.loading import load, scenario_from
from sim.metrics import measure
from sim.outcome import case_table, outcome_of
from sim.plan import Plan
from sim.planning import compile_plan

SCENARIOS = Path(__file__).parents[2] / "scenarios"


def stages(plan: Plan, replication: int) -> tuple[dict[str, float], float]:
    """CPU microseconds per case of each stage of one replication, and the mean time in minutes."""
    begun = time.process_time()
    workload = draw_workload(plan, seed=1, replication=replication)
    drawn = time.process_time()
    log = simulate(plan, workload)
    simulated = time.process_time()
    measure(plan, workload, log)
    measured = time.process_time()
    cases = case_table(plan, workload, outcome_of(workload, log))
    times = (cases.departed_at - cases.arrived_at)[cases.is_finished]
    per_case = 1e6 / workload.num_cases
    return {
        "draw": (drawn - begun) * per_case,
        "engine": (simulated - drawn) * per_case,
        "metrics": (measured - simulated) * per_case,
    }, float(times.mean()) / 60


def main(rounds: int) -> None:
    """Run and print."""
    plan = compile_plan(scenario_from(scenario_data()))
    plain: list[float] = []
    ours: list[dict[str, float]] = []
    plain_means: list[float] = []
    our_means: list[float] = []
    stages(plan, rounds)  # the first time fills caches
    for replication in range(rounds):
        begun = time.process_time()
        num_cases, mean = run_plain(DAYS, seed=replication)
        plain.append((time.process_time() - begun) / num_cases * 1e6)
        plain_means.append(mean)
        times, mean = stages(plan, replication)
        ours.append(times)
        our_means.append(mean)
    median = {stage: statistics.median(t[stage] for t in ours) for stage in ours[0]}
    ratio = statistics.median(p / t["engine"] for p, t in zip(plain, ours, strict=True))
    print(f"small hall, {DAYS} days, {rounds} rounds, CPU time per case")
    print(f"  plain SimPy  {statistics.median(plain):6.1f} us   mean time {_mean(plain_means)}")
    print(f"  engine       {median['engine']:6.1f} us   mean time {_mean(our_means)}")
    print(f"  plain / engine, log kept  {ratio:.2f}")
    for stage in ("draw", "metrics"):
        print(f"  {stage} / engine  {median[stage] / median['engine']:.2f}")
    plan = compile_plan(load(SCENARIOS / "lanzhou-2020.yaml"))
    stages(plan, 3)
    year = [stages(plan, replication)[0] for replication in range(3)]
    median = {stage: statistics.median(t[stage] for t in year) for stage in year[0]}
    print("lanzhou-2020, one year, CPU time per case")
    for stage, value in median.items():
        print(f"  {stage:8} {value:6.1f} us  {value / median['engine']:.2f} of the engine")


def _mean(values: list[float]) -> str:
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{statistics.mean(values):.2f} +- {error:.2f} min"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
