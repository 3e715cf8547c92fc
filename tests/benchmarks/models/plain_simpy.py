"""Plain SimPy, as its tutorial would: one process a case, draws as it goes."""

from __future__ import annotations

import random
from typing import Any

import simpy
from small_hall import run_plain


def hall(num_cases: int, seed: int) -> tuple[int, float]:
    """Cases that left, and their mean time in minutes."""
    return run_plain(num_cases / (24 * 60), seed)


def hall_in_series(num_cases: int, seed: int) -> tuple[int, float]:
    """The same, one check after the other."""
    return run_plain(num_cases / (24 * 60), seed, in_series=True)


def mm2(num_cases: int, seed: int) -> tuple[int, float]:
    """Cases that were called, and their mean wait in services."""
    rng = random.Random(seed)
    env = simpy.Environment()
    clerks = simpy.Resource(env, capacity=2)
    waits: list[float] = []

    def case() -> Any:
        arrived_at = env.now
        with clerks.request() as request:
            yield request
            waits.append(env.now - arrived_at)
            yield env.timeout(rng.expovariate(1.0))

    def source() -> Any:
        for _ in range(num_cases):
            yield env.timeout(rng.expovariate(1.6))
            env.process(case())

    env.process(source())
    env.run()
    return len(waits), sum(waits) / len(waits)
