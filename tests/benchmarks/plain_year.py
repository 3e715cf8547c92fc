"""A year of a hall that never closes, as the SimPy tutorial would write it.

    python tests/benchmarks/plain_year.py [YEARS]

Poisson arrivals, 40 a day; 10 services in a row over 5 pools of 3 servers, each pool twice; every
service lognormal, mean 40 min and cv 0.8; 5 % of the cases go first. Every year begins empty.
`year_hall` is the same hall as a scenario. Imports no more than it needs: its start-up counts.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Generator
from typing import Any

import simpy

DAYS = 365
PER_DAY = 40
POOLS = 5
SERVERS = 3
SERVICES = 10
MEAN = 40
CV = 0.8
URGENT = 0.05

MINUTES = DAYS * 24 * 60


def run_year(seed: int) -> tuple[list[float], list[list[float]], list[float]]:
    """Times of the cases that leave; waiting times and minutes of service by pool."""
    rng = random.Random(seed)
    env = simpy.Environment()
    pools = [simpy.PriorityResource(env, capacity=SERVERS) for _ in range(POOLS)]
    sigma = math.sqrt(math.log1p(CV**2))
    mu = math.log(MEAN) - sigma**2 / 2
    times: list[float] = []
    waits: list[list[float]] = [[] for _ in pools]
    busy = [0.0 for _ in pools]

    def case() -> Generator[simpy.Event, Any, None]:
        arrived_at = env.now
        priority = 0 if rng.random() < URGENT else 1
        for service in range(SERVICES):
            pool = service % POOLS
            joined_at = env.now
            with pools[pool].request(priority=priority) as request:
                yield request
                waits[pool].append(env.now - joined_at)
                time = rng.lognormvariate(mu, sigma)
                busy[pool] += time
                yield env.timeout(time)
        times.append(env.now - arrived_at)

    def source() -> Generator[simpy.Event, Any, None]:
        while True:
            yield env.timeout(rng.expovariate(PER_DAY / (24 * 60)))
            env.process(case())

    env.process(source())
    env.run(until=MINUTES)
    return times, waits, busy


def main(years: int) -> None:
    """Run and print."""
    for year in range(years):
        times, waits, busy = run_year(seed=year)
        print(f"{len(times)} cases, mean cycle time {sum(times) / len(times):.1f} min")
        for pool in range(POOLS):
            wait = sum(waits[pool]) / len(waits[pool])
            utilisation = busy[pool] / (SERVERS * MINUTES)
            print(f"  pool {pool + 1}: mean wait {wait:.1f} min, utilisation {utilisation:.1%}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
