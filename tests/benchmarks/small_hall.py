"""A small hall, as a scenario and as a plain SimPy script: one process a case, draws as it goes.

Poisson arrivals, a minute apart on average; 70 % counter, 30 % online; 5 % urgent. Acceptance (4
servers), then two checks in parallel (3 and 2), then decision (6) and issue (3); 10 % are sent back
to acceptance. All services lognormal with cv 0.8; every pool at load 0.8.
"""

from __future__ import annotations

import math
import random
from typing import Any

import simpy

DAYS = 20
ACCEPTANCE = {"counter": 3.24, "online": 2.04}
MEANS = {"check_papers": 2.16, "check_premises": 1.44, "decision": 4.32, "issue": 2.16}
SERVERS = {"acceptance": 4, "check_papers": 3, "check_premises": 2, "decision": 6, "issue": 3}
CV = 0.8
SIGMA = math.sqrt(math.log1p(CV**2))
CHECKS = ("check_papers", "check_premises")
COUNTER, URGENT, AGAIN = 0.7, 0.05, 0.1


def log_mean(mean: float) -> float:
    """Mean of the logarithm of a service, from the mean of the service."""
    return math.log(mean) - SIGMA**2 / 2


def scenario_data(days: int = DAYS) -> dict[str, Any]:
    """The hall as a scenario."""

    def service(pool: str, mean: float, after: list[str], **more: Any) -> dict[str, Any]:
        law = {"lognormal": {"mean": f"{mean} min", "cv": CV}}
        return {"after": after, "pool": pool, "service": law, **more}

    again = {"probability": "10 %", "from": ["accept_counter", "accept_online"]}
    return {
        "calendar": "always",
        "hours": {"all_day": ["00:00-24:00"]},
        "working_hours": "all_day",
        "horizon": {"from": "2020-01-01", "to": f"{days} working days"},
        "pools": {name: {"shifts": {"all_day": {"servers": n}}} for name, n in SERVERS.items()},
        "case_types": {
            "case": {
                "arrivals": {"per_hour": 60},
                "attributes": {
                    "channel": {"counter": "70 %", "online": "30 %"},
                    "urgent": {"yes": "5 %", "no": "95 %"},
                },
                "priority": {"urgent": {"yes": 0, "no": 1}},
                "activities": {
                    **{
                        f"accept_{channel}": service(
                            "acceptance", mean, [], when={"channel": channel}
                        )
                        for channel, mean in ACCEPTANCE.items()
                    },
                    **{
                        check: service(check, MEANS[check], ["accept_counter", "accept_online"])
                        for check in CHECKS
                    },
                    "decision": service(
                        "decision", MEANS["decision"], ["check_papers", "check_premises"]
                    ),
                    "issue": service("issue", MEANS["issue"], ["decision"], again=again),
                },
            }
        },
    }


def run_plain(days: float = DAYS, seed: int = 1, in_series: bool = False) -> tuple[int, float]:
    """The same hall written as the SimPy tutorial would: cases, and their mean time in minutes.

    in_series  one check after the other, for what knows no checks in parallel.
    """
    rng = random.Random(seed)
    env = simpy.Environment()
    pools = {name: simpy.PriorityResource(env, capacity=n) for name, n in SERVERS.items()}
    times: list[float] = []

    def serve(pool: str, mean: float, priority: int) -> Any:
        with pools[pool].request(priority=priority) as request:
            yield request
            yield env.timeout(rng.lognormvariate(log_mean(mean), SIGMA))

    def case() -> Any:
        arrived_at = env.now
        mean = ACCEPTANCE["counter" if rng.random() < COUNTER else "online"]
        priority = 0 if rng.random() < URGENT else 1
        while True:
            yield from serve("acceptance", mean, priority)
            checks = [serve(check, MEANS[check], priority) for check in CHECKS]
            if in_series:
                for check in checks:
                    yield from check
            else:
                yield env.all_of([env.process(check) for check in checks])
            yield from serve("decision", MEANS["decision"], priority)
            yield from serve("issue", MEANS["issue"], priority)
            if rng.random() >= AGAIN:
                break
        times.append(env.now - arrived_at)

    def source() -> Any:
        while True:
            yield env.timeout(rng.expovariate(1.0))
            env.process(case())

    env.process(source())
    env.run(until=days * 24 * 60)
    return len(times), sum(times) / len(times)
