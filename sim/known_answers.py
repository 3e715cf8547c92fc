"""Halls whose answers queueing theory knows, and whether the simulator finds them.

Each hall is scenario data like that of a file, goes the way of every scenario, and is measured by
the metrics that reports show. What theory says of it is computed from the same parameters by
`queueing`. Halls never close; who comes in the first two days is not measured, since halls begin
empty; services take minutes, so that rounding to whole seconds moves no answer by more than some
0.2 %.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np

from sim import queueing
from sim.draws import draw_workload
from sim.engines.simpy_engine import simulate
from sim.loading import scenario_from
from sim.metric_definitions import SHARE
from sim.metrics import measure
from sim.outcome import Outcome, outcome_of
from sim.output_analysis import Estimate, estimate
from sim.plan import Plan
from sim.planning import compile_plan
from sim.timeline import NEVER

REPLICATIONS: Final = 32
CHANCE: Final = 0.01
"""How often, over seeds, some answer of a right simulator is called wrong."""
PRECISION: Final = 0.05
"""Half-width of the 95 % interval, relative to the theory, above which nothing is shown."""

Data: TypeAlias = dict[str, Any]
Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of runs done and their number in all."""


@dataclass(frozen=True, eq=False)
class Run:
    """What is known after one replication."""

    plan: Plan
    outcome: Outcome
    values: dict[tuple[str, str], float]
    """By metric and subject."""


@dataclass(frozen=True)
class Answer:
    """A quantity, what theory says it is, and how a run shows it; shares are 0 to 1."""

    what: str
    unit: str
    theory: float
    measured: Callable[[Run], float]


@dataclass(frozen=True)
class KnownHall:
    """A hall and its answers."""

    name: str
    data: Data
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Finding:
    """An answer beside its estimate."""

    hall: str
    answer: Answer
    estimate: Estimate
    """With the usual interval."""
    simultaneous: Estimate
    """With one so wide that the intervals of all answers are right together."""

    @property
    def is_narrow(self) -> bool:
        """Whether the interval is narrow enough to tell right from wrong."""
        return self.estimate.half_width <= PRECISION * self.answer.theory

    @property
    def is_right(self) -> bool:
        """Whether the theory lies in the simultaneous interval, and the estimate is narrow."""
        found = self.simultaneous
        return self.is_narrow and found.low <= self.answer.theory <= found.high


def validate(
    halls: Sequence[KnownHall],
    seed: int = 1,
    progress: Progress = lambda done, total: None,
    replications: int = REPLICATIONS,
) -> list[Finding]:
    """Run the halls in the SimPy engine, and put every estimate beside its theory.

    replications  of each hall, 2 or more.

    Source of the simultaneous intervals: Bonferroni's inequality, see Law, Simulation Modeling and
    Analysis, multiple measures of performance.
    """
    findings: list[Finding] = []
    confidence = simultaneous_confidence(halls)
    for number, hall in enumerate(halls):
        plan = compile_plan(scenario_from(hall.data))
        samples = []
        for replication in range(replications):
            run = _run(plan, seed, replication)
            samples.append([answer.measured(run) for answer in hall.answers])
            progress(number * replications + replication + 1, len(halls) * replications)
        for answer, values in zip(hall.answers, np.transpose(samples), strict=True):
            both = estimate(values), estimate(values, confidence)
            findings.append(Finding(hall.name, answer, *both))
    return findings


def simultaneous_confidence(halls: Iterable[KnownHall]) -> float:
    """The confidence of each interval with which all are right but for CHANCE (Bonferroni)."""
    return 1 - CHANCE / sum(len(hall.answers) for hall in halls)


def _run(plan: Plan, seed: int, replication: int) -> Run:
    workload = draw_workload(plan, seed, replication)
    outcome = outcome_of(workload, simulate(plan, workload))
    return Run(plan, outcome, measure(plan, workload, outcome).values)


# The halls


def known_halls() -> tuple[KnownHall, ...]:
    """Every hall that `hall validate` runs."""
    return (
        _mmc(per_hour=3, minutes=10, servers=1, days=65),
        _mmc(per_hour=5, minutes=12, servers=2, days=50),
        _mg1("M/D/1", "20 min", minutes=20, scv=0, days=70),
        _mg1("M/G/1, lognormal", {"lognormal": {"mean": "20 min", "cv": 0.8}}, 20, 0.64, days=100),
        _two_priorities(urgent_per_hour=1.2, normal_per_hour=1.8, minutes=10, days=75),
        _loss(per_hour=12, minutes=10, servers=2, days=8),
        _two_stages(per_hour=9, minutes=(10, 3), servers=(3, 1), days=18),
    )


def _mmc(per_hour: float, minutes: float, servers: int, days: int) -> KnownHall:
    rate, service_rate, load = per_hour / 60, 1 / minutes, per_hour / 60 * minutes / servers
    wait = queueing.mmc_waiting_time(rate, service_rate, servers)
    longer = queueing.mmc_waiting_time_exceeds(rate, service_rate, servers, 10)
    case = _papers({"serve": _work("windows", _exponential(minutes))}, per_hour)
    return KnownHall(
        f"M/M/{servers}, load {load:.2f}",
        _hall(case, {"windows": _pool(servers)}, days),
        (
            Answer("mean wait (Erlang C)", "min", wait, _metric("waiting_time_mean")),
            Answer(
                "share that waits (Erlang C)",
                SHARE,
                queueing.erlang_c(servers, load * servers),
                _share_that_waits,
            ),
            Answer("waits longer than 10 min", SHARE, longer, _metric("waiting_over_10_min")),
            Answer("utilisation (load)", SHARE, load, _metric("utilisation")),
            Answer(
                "mean number waiting (Little)", "cases", rate * wait, _metric("queue_length_mean")
            ),
        ),
    )


def _mg1(name: str, service: Any, minutes: float, scv: float, days: int) -> KnownHall:
    load = 0.5
    exact = queueing.mg1_waiting_time(load / minutes, minutes, scv)
    case = _papers({"serve": _work("windows", service)}, 60 * load / minutes)
    return KnownHall(
        f"{name}, load {load:.2f}",
        _hall(case, {"windows": _pool()}, days),
        (Answer("mean wait (Pollaczek-Khinchine)", "min", exact, _metric("waiting_time_mean")),),
    )


def _two_priorities(
    urgent_per_hour: float, normal_per_hour: float, minutes: float, days: int
) -> KnownHall:
    per_hour = {"urgent": urgent_per_hour, "normal": normal_per_hour}
    total = sum(per_hour.values())
    waits = queueing.priority_waiting_times([n / 60 for n in per_hour.values()], 1 / minutes, 1)
    case = _papers({"serve": _work("windows", _exponential(minutes))}, total) | {
        # Waiting times are measured by channel.
        "attributes": {"channel": {name: n / total for name, n in per_hour.items()}},
        "priority": {"channel": {name: place for place, name in enumerate(per_hour)}},
    }
    return KnownHall(
        f"M/M/1 with two priorities, load {total * minutes / 60:.2f}",
        _hall(case, {"windows": _pool()}, days),
        tuple(
            Answer(f"mean wait, {name} (Cobham)", "min", wait, _metric("waiting_time_mean", name))
            for name, wait in zip(per_hour, waits.tolist(), strict=True)
        ),
    )


def _loss(per_hour: float, minutes: float, servers: int, days: int) -> KnownHall:
    offered_load = per_hour / 60 * minutes
    service = {"lognormal": {"mean": f"{minutes} min", "cv": 2}}
    visit = _work("windows", service, trip="visit", if_not_served="lost")
    blocked = queueing.erlang_b(servers, offered_load)
    return KnownHall(
        f"M/G/{servers}/{servers}, nobody can wait, load {offered_load / servers:.2f}",
        _hall(_papers({"serve": visit}, per_hour), {"windows": _pool(servers, room=0)}, days),
        (
            Answer("share lost (Erlang B)", SHARE, blocked, _share_lost),
            Answer(
                "utilisation (load x share served)",
                SHARE,
                offered_load * (1 - blocked) / servers,
                _metric("utilisation"),
            ),
        ),
    )


def _two_stages(
    per_hour: float, minutes: tuple[float, float], servers: tuple[int, int], days: int
) -> KnownHall:
    first, second = (
        queueing.mmc_waiting_time(per_hour / 60, 1 / mean, count)
        for mean, count in zip(minutes, servers, strict=True)
    )
    activities = {
        "receive": _work("windows", _exponential(minutes[0])),
        "review": _work("office", _exponential(minutes[1]), after="receive"),
    }
    pools = {"windows": _pool(servers[0]), "office": _pool(servers[1])}
    through = {"promises": {"through": {"case_types": "case", "within": "1 h"}}}
    return KnownHall(
        f"M/M/{servers[0]}, then M/M/{servers[1]}",
        _hall(_papers(activities, per_hour), pools, days) | through,
        (
            Answer(
                "mean wait at the second (Burke)",
                "min",
                second,
                _metric("waiting_time_mean", "office"),
            ),
            Answer(
                "mean time through both (Burke)",
                "min",
                first + second + sum(minutes),
                lambda run: 60 * run.values["elapsed_hours_mean", "through"],
            ),
        ),
    )


# Pieces of a scenario


def _hall(case: Data, pools: dict[str, Data], days: int) -> Data:
    return {
        "calendar": "always",
        "hours": {"always": ["00:00-24:00"]},
        "working_hours": "always",
        "horizon": {
            "from": "2020-01-03",
            "to": f"{days} working days",
            "warm_up": "2 working days",
        },
        "trips": {"visit": {}},
        "pools": pools,
        "case_types": {"case": case},
    }


def _pool(servers: int = 1, **rules: Any) -> Data:
    return {"shifts": {"day": {"servers": servers}}, **rules}


def _papers(activities: dict[str, Data], per_hour: float) -> Data:
    return {"arrivals": {"per_hour": per_hour}, "activities": activities}


def _work(pool: str, service: Any, **more: Any) -> Data:
    return {"pool": pool, "service": service, **more}


def _exponential(minutes: float) -> Data:
    return {"exponential": {"mean": f"{minutes} min"}}


# What a run shows


def _metric(metric: str, subject: str = "windows") -> Callable[[Run], float]:
    return lambda run: run.values[metric, subject]


def _share_that_waits(run: Run) -> float:
    enqueued_at, started_at = run.outcome.enqueued_at, run.outcome.started_at
    is_measured = (enqueued_at >= run.plan.measured_from_at) & (started_at != NEVER)
    return float((started_at > enqueued_at)[is_measured].mean())


def _share_lost(run: Run) -> float:
    return run.values["lost", "case"] / run.values["arrivals", "case"]
