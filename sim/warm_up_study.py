"""How long a hall takes to fill: cases in progress day by day, over replications.

What is looked at begins with an empty hall, so with the days that the scenario itself leaves out.
The series is the number of cases in progress at the end of each working day: it is there on every
day, whatever the hall does, and is the last to settle, since it counts the slowest cases too.
MSER-5 judges its mean over replications, as Hoad, Robinson and Davies, Automating Warm-up Length
Estimation (2010), recommend; Welch's moving average is what people look at. MSER-5 knows nothing of
seasons: it may leave out a peak early in the series, as on the first day after long holidays.

A hall with a pool whose load is 1 or more has no steady state to wait for; of it the growth of the
backlog is told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from sim.loading import Loaded
from sim.offered_load import PoolLoad, offered_load
from sim.outcome import Outcome
from sim.output_analysis import Estimate, estimate
from sim.plan import Plan
from sim.planning import compile_plan
from sim.replication import compare_engines, replicate_outcome
from sim.tasks import EngineChoice, Work, choose_engine, replications_to_do
from sim.timeline import DAY, IntArray
from sim.warm_up import BATCH, mser5_truncation, welch_average
from sim.workload import Workload

SHARE_AVERAGED: Final = 0.1
"""Share of the series over which Welch's average is taken, half of it to either side: enough to
even out weeks, and not so much that the average lags behind a hall that fills."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of runs done and their number in all."""


@dataclass(frozen=True, eq=False)
class WarmUpStudy:
    """How the hall of one scenario filled, in every replication."""

    loaded: Loaded
    plan: Plan
    in_progress: IntArray
    """(num_replications, num_working_days): cases in progress at the end of each working day."""
    growth: Estimate
    """Of the backlog over the measured part, in cases per working day: the metric
    `backlog_growth` of the hall."""
    overloads: tuple[PoolLoad, ...]
    """Pools with a load of 1 or more."""
    remarks: tuple[str, ...] = ()
    """What is to be said of how it was run, a line each."""

    @property
    def num_replications(self) -> int:
        """How many runs it is of."""
        return len(self.in_progress)

    @property
    def num_days(self) -> int:
        """Working days that are simulated."""
        return int(self.in_progress.shape[1])

    @property
    def left_out(self) -> int:
        """Working days that the scenario leaves out."""
        return int((self.plan.days.dates * DAY < self.plan.measured_from_at).sum())

    @property
    def wanted(self) -> int | None:
        """Working days that are to be left out by MSER-5.

        None where there is nothing to judge: a load of 1 or more, or fewer than ten working days.
        """
        if self.overloads or self.num_days < 2 * BATCH:
            return None
        return mser5_truncation(self.in_progress.mean(axis=0))

    @property
    def is_at_limit(self) -> bool:
        """Whether MSER-5 leaves out as much as it can: no steady part is seen."""
        return self.wanted == self.num_days // BATCH // 2 * BATCH

    @property
    def window(self) -> int:
        """Working days to either side over which Welch's average is taken."""
        return int(self.num_days * SHARE_AVERAGED / 2)

    @property
    def welch(self) -> np.ndarray:
        """Welch's moving average, float64, shape (num_days - window,)."""
        if not self.num_days:
            return np.zeros(0)
        return welch_average(self.in_progress, self.window)

    def date_of(self, working_day: int) -> dt.date:
        """The date of a working day, counted from 1."""
        return self.plan.days.date_of(int(self.plan.days.dates[working_day - 1]) * DAY)


def study_warm_up(
    scenarios: Mapping[str, Loaded],
    replications: int = 20,
    seed: int = 1,
    *,
    engine: EngineChoice = "auto",
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, WarmUpStudy]:
    """Run every scenario so many times, and count its cases in progress.

    engine  auto: the compiled one where it saves time, after replication 0 of each scenario has
            been compared event by event with SimPy's.
    say     told if compiling the engine takes long.

    Raises EnginesDiffer, and RunawayError for a run that does not come to its end.
    """
    if replications < 1 or seed < 0:
        raise ValueError("replications are 1 or more, a seed is 0 or more")
    plans = {name: compile_plan(loaded.scenario) for name, loaded in scenarios.items()}
    tasks = replications_to_do(dict.fromkeys(plans, ()), range(replications))
    work = choose_engine(Work(plans, seed), tasks, engine, say)
    remarks = (f"{work.engine} engine: {work.remark}",) if work.remark else ()
    studies = {}
    done = 0
    for name, plan in plans.items():
        if work.engine == "compiled":
            compare_engines(plan, seed)
        days = (plan.days.dates + 1) * DAY
        instants = np.concatenate(([plan.measured_from_at, plan.end_at], days))
        counts = np.zeros((replications, len(instants)), dtype=np.int64)
        for number in range(replications):
            counts[number] = cases_in_progress(
                *replicate_outcome(plan, seed, number, work.engine), instants
            )
            done += 1
            if progress is not None:
                progress(done, replications * len(plans))
        studies[name] = _study(scenarios[name], plan, counts, remarks)
    return studies


def _study(loaded: Loaded, plan: Plan, counts: IntArray, remarks: tuple[str, ...]) -> WarmUpStudy:
    """Made of the cases in progress at the ends of the measured part, and of each working day."""
    num_measured = (plan.days.dates * DAY >= plan.measured_from_at).sum()
    growth = counts[:, 1] - counts[:, 0]
    return WarmUpStudy(
        loaded,
        plan,
        counts[:, 2:],
        estimate(growth / num_measured if num_measured else []),
        tuple(load for load in offered_load(plan) if load.is_overload),
        remarks,
    )


def cases_in_progress(workload: Workload, outcome: Outcome, instants: npt.ArrayLike) -> IntArray:
    """How many cases have come before each instant, and have not gone before it, done or lost.

    instants  shape (num_instants,), from midnight of the plan's origin; nothing is known after
              its end.

    Returns int64, shape (num_instants,).
    """
    gone_at = np.sort(np.minimum(outcome.departed_at, outcome.lost_at))
    # Cases are numbered by arrival.
    come, gone = (np.searchsorted(at, instants) for at in (workload.arrived_at, gone_at))
    in_progress: IntArray = come - gone
    return in_progress
