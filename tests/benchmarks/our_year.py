"""The year of `plain_year` by the Python interface, from a scenario file.

python tests/benchmarks/our_year.py FILE [REPLICATION]
"""

from __future__ import annotations

import sys

import sim


def main(file: str, replication: int) -> None:
    """Run and print."""
    plan = sim.compile_plan(sim.load(file))
    values = sim.replicate(plan, 1, replication, engine="compiled").measures.values
    cycle_time = values["elapsed_hours_mean", "cycle"] * 60
    print(f"{values['finished', 'hall']:.0f} cases, mean cycle time {cycle_time:.1f} min")
    for pool in plan.pools:
        wait = values["waiting_time_mean", pool.name]
        utilisation = values["utilisation", pool.name]
        print(f"  {pool.name}: mean wait {wait:.1f} min, utilisation {utilisation:.1%}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
