"""The simulator against closed-form answers of queueing theory.

Each test runs 32 replications with a fixed seed. The exact value must lie inside the 99.9 %
Student interval of their mean: with other seeds each figure would fail by chance once in 1,000
times. How many cases came and how long their services are is known, and what of a figure goes with
that surplus is taken off (two control variates; Law, Simulation Modeling and Analysis, variance
reduction). So that an interval cannot pass by being wide, its half-width is bounded too: 2 % of the
value, or what the test says. Halls never close, times are long against a second, and the first and
the last day are not measured. The compiled engine does it, whose logs are SimPy's (`test_parity`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from halls import Data, Run, case_type, hall, one_pool, plan_of, pool
from scipy import stats

from sim import queueing
from sim.engines.compiled_draw import draw_workload
from sim.engines.compiled_engine import simulate
from sim.plan import Plan
from sim.timeline import DAY, HOUR, MINUTE, NEVER
from sim.workload import Workload

REPLICATIONS = 32
SEED = 20200101

Metric = Callable[[Run], float | list[float]]


def assert_agrees(
    data: Data, metric: Metric, exact: Any, precision: float | np.ndarray = 0.02, seed: int = SEED
) -> None:
    """The exact value lies inside the 99.9 % interval, and the interval is narrow."""
    plan = plan_of(data)
    values, controls = [], []
    for replication in range(REPLICATIONS):
        workload = draw_workload(plan, seed, replication)
        values.append(np.atleast_1d(metric(Run(plan, workload, simulate(plan, workload)))))
        controls.append([1.0, *surplus(plan, workload)])
    known, table = np.array(controls), np.array(values)
    known = known[:, [0, *np.flatnonzero(np.ptp(known, axis=0) > 0)]]
    coefficients = np.linalg.lstsq(known, table)[0]
    freedom = REPLICATIONS - known.shape[1]
    variance = ((table - known @ coefficients) ** 2).sum(axis=0) / freedom
    mean = coefficients[0]
    half_width = stats.t.ppf(0.9995, freedom) * np.sqrt(
        variance * np.linalg.inv(known.T @ known)[0, 0]
    )
    assert (half_width < precision * np.asarray(exact)).all(), (half_width, exact)
    assert (np.abs(mean - exact) <= half_width).all(), (mean, half_width, exact)


def surplus(plan: Plan, workload: Workload) -> list[float]:
    """How many more cases came, and how much longer their services are, than expected; relative."""
    expected = sum(t.arrivals.rates[0].total for t in plan.case_types if t.arrivals.rates)
    batches = np.mean([t.arrivals.batch_sizes @ t.arrivals.batch_shares for t in plan.case_types])
    means = np.array([(a.service or a.delay).mean for a in plan.activities])
    work = workload.step_time.sum() / means[workload.step_activity].sum() - 1
    return [workload.num_cases / (expected * batches) - 1, work]


def measured(run: Run) -> np.ndarray:
    """For each step whether its case arrived after the first day and before the last."""
    arrived_at = run.workload.arrived_at[run.workload.step_case]
    return (arrived_at >= DAY) & (arrived_at < run.plan.end_at - DAY)


def waiting_minutes(run: Run) -> float:
    """Mean waiting time of a service."""
    outcome, used = run.outcome, measured(run)
    return float((outcome.started_at - outcome.enqueued_at)[used].mean() / MINUTE)


def waiting_minutes_by(run: Run, of_step: np.ndarray, count: int) -> list[float]:
    """Mean waiting time of a service for each of `count` groups of steps."""
    outcome, used = run.outcome, measured(run)
    times = (outcome.started_at - outcome.enqueued_at)[used]
    return [float(times[of_step[used] == i].mean() / MINUTE) for i in range(count)]


def waiting_by_type(run: Run) -> list[float]:
    """Mean waiting time for each case type."""
    case_type_of_step = run.workload.case_type[run.workload.step_case]
    return waiting_minutes_by(run, case_type_of_step, len(run.plan.case_types))


def total_minutes(run: Run) -> float:
    """Mean time from arrival to departure."""
    cases = run.cases
    used = (cases.arrived_at >= DAY) & (cases.arrived_at < run.plan.end_at - DAY)
    assert (cases.departed_at[used] != NEVER).all()
    return float((cases.departed_at - cases.arrived_at)[used].mean() / MINUTE)


def exponential(minutes: float) -> Data:
    return {"exponential": {"mean": f"{minutes} min"}}


def desk(service: Data, per_hour: float, servers: int = 1, days: int = 100, **more: Any) -> Data:
    """Papers that come at random to one pool."""
    return one_pool({"per_hour": per_hour}, service, servers, in_person=False, days=days, **more)


def papers(pools: str, service: Data, **more: Any) -> Data:
    return {"pool": pools, "service": service, **more}


# --- one queue -----------------------------------------------------------------------------------


def test_one_exponential_server_waits_as_in_mm1():
    """M/M/1 at load 0.5."""
    exact = queueing.mmc_waiting_time(3 / 60, 1 / 10, 1)
    assert_agrees(desk(exponential(10), 3, days=320), waiting_minutes, exact)


def test_four_exponential_servers_wait_as_in_mm4():
    """M/M/4 at load 0.6; also the share that waits longer than 5 minutes; both to 4 %."""
    rate, service_rate = 14.4 / 60, 1 / 10

    def metric(run: Run) -> list[float]:
        outcome, used = run.outcome, measured(run)
        times = (outcome.started_at - outcome.enqueued_at)[used] / MINUTE
        return [float(times.mean()), float((times > 5).mean())]

    exact = [
        queueing.mmc_waiting_time(rate, service_rate, 4),
        queueing.mmc_waiting_time_exceeds(rate, service_rate, 4, 5),
    ]
    assert_agrees(desk(exponential(10), 14.4, 4, days=80), metric, exact, 0.04)


@pytest.mark.parametrize(
    ("service", "scv", "days"),
    [
        ({"constant": "20 min"}, 0.0, 300),
        ({"erlang": {"mean": "20 min", "phases": 2}}, 0.5, 400),
        ({"uniform": {"low": "0 min", "high": "40 min"}}, 1 / 3, 300),
        ({"lognormal": {"mean": "20 min", "cv": 1.2}}, 1.44, 500),
    ],
    ids=["constant", "erlang", "uniform", "lognormal"],
)
def test_the_variability_of_services_counts_as_pollaczek_and_khinchine_say(
    service: Data, scv: float, days: int
):
    """M/G/1 at load 0.5: the wait grows with the squared coefficient of variation.

    The half-width is 2 % of it, 3.5 % for lognormal services.
    """
    exact = queueing.mg1_waiting_time(1.5 / 60, 20, scv)
    assert_agrees(desk(service, 1.5, days=days), waiting_minutes, exact, 0.02 if scv < 1 else 0.035)


def test_priorities_wait_as_cobham_says():
    """M/M/1 with three classes, load 0.6, a service is never interrupted; to 2.5 %."""
    rates = (1.2, 1.2, 1.2)
    types = {
        f"class_{i}": case_type({"serve": papers("desk", exponential(10))}, {"per_hour": rate},
                                priority=i)
        for i, rate in enumerate(rates)
    }  # fmt: skip
    exact = queueing.priority_waiting_times([rate / 60 for rate in rates], 1 / 10, 1)
    assert_agrees(hall(types, {"desk": pool()}, days=300), waiting_by_type, exact, 0.025)


def test_the_mean_wait_over_classes_does_not_depend_on_priorities():
    """Services are alike: who waits changes, how much is waited does not, to the second."""
    totals = []
    for priorities in ((0, 1, 2), (2, 1, 0), (0, 0, 0)):
        types = {
            f"class_{i}": case_type({"serve": papers("desk", {"constant": "10 min"})},
                                    {"per_hour": 1.5}, priority=priority)
            for i, priority in enumerate(priorities)
        }  # fmt: skip
        plan = plan_of(hall(types, {"desk": pool()}, days=30))
        workload = draw_workload(plan, SEED)
        result = Run(plan, workload, simulate(plan, workload))
        outcome = result.outcome
        served = outcome.started_at != NEVER
        totals.append(int((outcome.started_at - outcome.enqueued_at)[served].sum()))
        assert served.sum() > 3000
    assert totals[0] == totals[1] == totals[2]


def test_batches_wait_as_in_mx_m1():
    """M^X/M/1: batches of 1, 2 and 5 at load 0.5, to 3 %."""
    shares = {1: 0.5, 2: 0.3, 5: 0.2}
    mean = sum(size * share for size, share in shares.items())
    second = sum(size**2 * share for size, share in shares.items())
    per_hour = 3 / mean
    exact = queueing.batch_mx_m1_waiting_time(per_hour / 60, 1 / 10, mean, second)
    batch = {str(size): share for size, share in shares.items()}
    data = one_pool(
        {"per_hour": per_hour, "batch": batch}, exponential(10), in_person=False, days=200
    )
    assert_agrees(data, waiting_minutes, exact, 0.03)


def test_a_full_room_loses_as_many_as_in_mmck():
    """M/M/3 with 2 places to wait and a load of 1.2 a server."""
    exact = queueing.mmck_blocking(18 / 60, 1 / 12, 3, 2)
    data = one_pool(
        {"per_hour": 18},
        exponential(12),
        3,
        rules={"room": 2},
        activity={"if_not_served": "lost"},
        days=9,
    )
    assert_agrees(data, lambda run: float(run.cases.is_lost.mean()), exact)


def test_nobody_can_wait_as_in_erlangs_loss_formula():
    """M/G/2/2: whatever the law of services, only its mean counts."""
    exact = queueing.erlang_b(2, 2.0)
    data = one_pool(
        {"per_hour": 12},
        {"lognormal": {"mean": "10 min", "cv": 2}},
        2,
        rules={"room": 0},
        activity={"if_not_served": "lost"},
        days=10,
    )
    assert_agrees(data, lambda run: float(run.cases.is_lost.mean()), exact)


def test_utilisation_is_offered_load_over_servers():
    """Lambda E[S] / c, by the service times begun."""

    def utilisation(run: Run) -> float:
        served = run.outcome.started_at != NEVER
        return float(run.workload.step_time[served].sum() / (3 * run.plan.end_at))

    assert_agrees(desk(exponential(20), 6, 3, days=10), utilisation, 2 / 3)


# --- several queues ------------------------------------------------------------------------------


def test_pooling_two_windows_shortens_the_wait():
    """Two M/M/1 at load 0.5, or one M/M/2: a third of the wait, both as theory says, to 3 %."""
    apart = hall(
        {
            name: case_type({"serve": papers(name, exponential(10))}, {"per_hour": 3})
            for name in ("left", "right")
        },
        {"left": pool(), "right": pool()},
        days=130,
    )
    assert_agrees(apart, waiting_minutes, queueing.mmc_waiting_time(3 / 60, 1 / 10, 1), 0.03)
    together = desk(exponential(10), 6, 2, days=130)
    assert_agrees(together, waiting_minutes, queueing.mmc_waiting_time(6 / 60, 1 / 10, 2), 0.03)


def test_a_network_with_a_correction_loop_waits_as_jackson_says():
    """Window, review, 20 % back to the window, issue: the whole time to 2 %, each wait to 7 %."""
    steps = {
        "window": papers("windows", exponential(8)),
        "review": papers("reviewers", exponential(12), after="window",
                         again={"probability": "20 %", "from": "window"}),
        "issue": papers("counter", exponential(4), after="review"),
    }  # fmt: skip
    pools = {"windows": 2, "reviewers": 3, "counter": 1}
    data = hall(
        {"case": case_type(steps, {"per_hour": 9})},
        {name: pool(servers) for name, servers in pools.items()},
        days=55,
    )
    flows = queueing.jackson_visits([9 / 60, 0, 0], [[0, 1, 0], [0.2, 0, 0.8], [0, 0, 0]])
    waits = [
        queueing.mmc_waiting_time(flow, 1 / mean, servers)
        for flow, mean, servers in zip(flows, (8, 12, 4), pools.values(), strict=True)
    ]
    total = sum(
        flow / flows[2] * (wait + mean)
        for flow, mean, wait in zip(flows, (8, 12, 4), waits, strict=True)
    )
    np.testing.assert_allclose([*waits, total], [10.285714, 9.084112, 6.0, 59.212283], rtol=1e-6)

    def metric(run: Run) -> list[float]:
        return [*waiting_minutes_by(run, run.workload.step_activity, 3), total_minutes(run)]

    assert_agrees(data, metric, [*waits, total], np.array([0.07, 0.07, 0.07, 0.02]))


def test_fork_and_join_of_two_queues():
    """Two M/M/1 at load 0.5, each case at both: the time until both halves are done."""
    steps = {"left": papers("left", exponential(10)), "right": papers("right", exponential(10))}
    data = hall(
        {"case": case_type(steps, {"per_hour": 3})}, {"left": pool(), "right": pool()}, days=60
    )
    exact = queueing.fork_join_two_response_time(3 / 60, 1 / 10)
    assert_agrees(data, total_minutes, exact)


def test_parallel_work_without_queues_takes_the_longest_of_its_parts():
    """Five checks at once, exponential with means 25, 15, 10, 3 and 70 minutes."""
    means = (25, 15, 10, 3, 70)
    steps = {f"check_{i}": {"delay": exponential(mean)} for i, mean in enumerate(means)}
    data = hall({"case": case_type(steps, {"per_hour": 20})}, days=5)
    exact = queueing.expected_maximum_of_exponentials(means)
    assert exact == pytest.approx(78.552414)
    assert_agrees(data, total_minutes, exact)


def test_a_wrong_formula_is_noticed():
    """The check itself: a value 3 % beside the exact one lies outside the interval."""
    data = hall({"case": case_type({"wait": {"delay": exponential(15)}}, {"per_hour": 20})}, days=7)
    assert_agrees(data, total_minutes, 15.0)
    with pytest.raises(AssertionError):
        assert_agrees(data, total_minutes, 15.0 * 1.03)


# --- without a server that matters ---------------------------------------------------------------


def test_submissions_until_all_is_right():
    """Sent back with probability p: 1 / (1 - p) submissions in the mean."""
    steps = {
        "check": {"delay": "10 min", "again": {"probability": "30 %"}},
    }
    data = hall({"case": case_type(steps, {"per_hour": 20})}, days=7)

    def metric(run: Run) -> float:
        return run.workload.num_steps / run.workload.num_cases

    assert_agrees(data, metric, 1 / 0.7)


def test_patience_without_servers_is_all_that_is_waited():
    """A pool whose only server is taken for ever: everybody leaves, after 15 minutes, to 5 %."""
    data = hall(
        {
            "block": case_type({"block": papers("desk", {"constant": "900 h"})}, ["00:00"]),
            "case": case_type(
                {
                    "serve": papers("desk", exponential(10))
                    | {"trip": "visit", "patience": exponential(15), "if_not_served": "lost"}
                },
                {"per_hour": 15},
            ),
        },
        {"desk": pool()},
        days=3,
    )

    def metric(run: Run) -> float:
        outcome = run.outcome
        used = measured(run)[outcome.unserved_step]
        assert used.sum() == measured(run).sum()
        return float((outcome.unserved_until - outcome.unserved_from)[used].mean() / MINUTE)

    assert_agrees(data, metric, 15.0, 0.05)


def test_a_heavy_load_keeps_the_only_server_at_work():
    """One server and twice the work there is time for: never idle after the first arrival."""
    plan = plan_of(desk(exponential(30), 4, days=20))
    workload = draw_workload(plan, SEED)
    result = Run(plan, workload, simulate(plan, workload))
    outcome = result.outcome
    served = outcome.started_at != NEVER
    starts, ends = outcome.started_at[served], outcome.completed_at[served]
    assert (starts[1:] == ends[:-1]).mean() > 0.999
    assert starts[0] < 2 * HOUR
