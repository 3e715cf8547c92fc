"""salabim: a component a case, processes as generators, trace and monitors off."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import salabim
from small_hall import (
    ACCEPTANCE,
    AGAIN,
    CHECKS,
    COUNTER,
    MEANS,
    SERVERS,
    SIGMA,
    URGENT,
    log_mean,
)


def hall(num_cases: int, seed: int) -> tuple[int, float]:
    """Cases that left, and their mean time in minutes."""
    rng = random.Random(seed)
    env = salabim.Environment(trace=False, yieldless=False)
    pools = {name: salabim.Resource(capacity=n, monitor=False) for name, n in SERVERS.items()}
    times: list[float] = []

    def serve(component: Any, pool: str, mean: float, priority: int) -> Any:
        yield component.request((pools[pool], 1, priority))
        yield component.hold(rng.lognormvariate(log_mean(mean), SIGMA))
        component.release()

    class Check(salabim.Component):
        def setup(self, case: Any, pool: str, urgency: int) -> None:
            self.status.monitor(False)
            self.case, self.pool, self.urgency = case, pool, urgency

        def process(self) -> Any:
            yield from serve(self, self.pool, MEANS[self.pool], self.urgency)
            self.case.checks_left -= 1
            if self.case.checks_left == 0:
                self.case.activate()

    class Case(salabim.Component):
        def setup(self) -> None:
            self.status.monitor(False)

        def process(self) -> Any:
            arrived_at = env.now()
            mean = ACCEPTANCE["counter" if rng.random() < COUNTER else "online"]
            priority = 0 if rng.random() < URGENT else 1
            while True:
                yield from serve(self, "acceptance", mean, priority)
                self.checks_left = len(CHECKS)
                for check in CHECKS:
                    Check(case=self, pool=check, urgency=priority)
                yield self.passivate()
                yield from serve(self, "decision", MEANS["decision"], priority)
                yield from serve(self, "issue", MEANS["issue"], priority)
                if rng.random() >= AGAIN:
                    break
            times.append(env.now() - arrived_at)

    _run(env, Case, num_cases, lambda: rng.expovariate(1.0))
    return len(times), sum(times) / len(times)


def mm2(num_cases: int, seed: int) -> tuple[int, float]:
    """Cases that were called, and their mean wait in services."""
    rng = random.Random(seed)
    env = salabim.Environment(trace=False, yieldless=False)
    clerks = salabim.Resource(capacity=2, monitor=False)
    waits: list[float] = []

    class Case(salabim.Component):
        def setup(self) -> None:
            self.status.monitor(False)

        def process(self) -> Any:
            arrived_at = env.now()
            yield self.request(clerks)
            waits.append(env.now() - arrived_at)
            yield self.hold(rng.expovariate(1.0))
            self.release()

    _run(env, Case, num_cases, lambda: rng.expovariate(1.6))
    return len(waits), sum(waits) / len(waits)


def _run(env: Any, case: Any, num_cases: int, gap: Callable[[], float]) -> None:
    class Source(salabim.Component):
        def process(self) -> Any:
            for _ in range(num_cases):
                yield self.hold(gap())
                case()

    Source()
    env.run()
