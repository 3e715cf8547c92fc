"""The compiled draw gives the workload that `draws` defines, number by number."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.small_hall import scenario_data
from halls import CATALOGUE, LUNCH, Data, case_type, hall, one_pool, plan_of, pool, random_halls
from hypothesis import HealthCheck, assume, given, settings
from numba import njit
from stream_kernel import Wanted

from sim.distributions import (
    Distribution,
    Erlang,
    Exponential,
    Gamma,
    LogNormal,
    Triangular,
    Uniform,
    Weibull,
    whole_seconds,
)
from sim.draws import draw_workload
from sim.engines import compiled_draw, draw_loops, draw_tables
from sim.engines.native import Kernel
from sim.itinerary import LoopError
from sim.loading import load, scenario_from
from sim.plan import Plan
from sim.planning import compile_plan
from sim.streams import Streams
from sim.workload import Workload

SCENARIOS = Path(__file__).parents[1] / "scenarios"
LAWS: list[Any] = [
    Uniform(300, 1200),
    Uniform(126_000, 504_000),
    Uniform(600, 600),
    Triangular(600, 900, 2400),
    Triangular(0, 0, 480),
    Triangular(120, 480, 480),
    Exponential(720),
    Exponential(0.9),
    Gamma(1800, 0.4),
    Gamma(1800, 7.5),
    Erlang(900, 2),
    LogNormal(1800, 0.5),
    LogNormal(259_200, 1.5),
    LogNormal(30.5, 0),
    Weibull(600, 0.8),
    Weibull(600, 3),
]


def differences(expected: Workload, found: Workload) -> list[str]:
    """The fields of two workloads that are not equal in values, type and shape."""
    result = []
    for field in fields(Workload):
        one, other = getattr(expected, field.name), getattr(found, field.name)
        if isinstance(one, np.ndarray):
            is_same = one.dtype == other.dtype and np.array_equal(one, other)
            if one.size:  # columns without memory of their own too
                is_same &= (0 in one.strides) == (0 in other.strides)
        elif isinstance(one, tuple):
            is_same = len(one) == len(other) and all(map(lambda a, b: a is b, one, other))
        else:
            is_same = one == other
        if not is_same:
            result.append(field.name)
    return result


def assert_same(plan: Plan, *replications: int, seed: int = 1) -> None:
    for replication in replications:
        expected = draw_workload(plan, seed, replication)
        assert differences(expected, compiled_draw.draw_workload(plan, seed, replication)) == []


# --- the same workload ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_same_workload_of_an_awkward_hall(name: str) -> None:
    assert_same(plan_of(CATALOGUE[name]), 0, 1, 2)


@given(random_halls())
@settings(
    derandomize=True, deadline=None, max_examples=150, suppress_health_check=list(HealthCheck)
)
def test_the_same_workload_of_random_halls(data: Data) -> None:
    try:
        plan = plan_of(data)
    except LoopError:
        assume(False)
    assert_same(plan, 0)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_workload_of_a_busy_hall(seed: int) -> None:
    assert_same(compile_plan(scenario_from(scenario_data())), 0, 1, seed=seed)


@pytest.mark.parametrize("name", ["lanzhou-2015", "lanzhou-2020"])
@pytest.mark.parametrize("seed", [1, 7])
def test_the_same_workload_of_a_year_in_lanzhou(name: str, seed: int) -> None:
    assert_same(compile_plan(load(SCENARIOS / f"{name}.yaml")), 0, 3, seed=seed)


def test_the_same_workload_with_laws_of_every_family() -> None:
    """As services, delays on each clock, and patience."""
    laws: list[Any] = [
        "7 min",
        {"uniform": {"low": "5 min", "high": "20 min"}},
        {"triangular": {"low": "10 min", "mode": "15 min", "high": "40 min"}},
        {"exponential": {"mean": "12 min"}},
        {"erlang": {"mean": "15 min", "phases": 2}},
        {"gamma": {"mean": "30 min", "shape": 0.4}},
        {"lognormal": {"mean": "1 h", "cv": 1.5}},
        {"weibull": {"mean": "10 min", "shape": 0.8}},
        {"empirical": {"values": ["1 min", "90 s", "1 h", "0 s"]}},
        "3 working days",
        {"lognormal": {"mean": "40 working h", "cv": 2}},
        {"uniform": {"low": "1 calendar days", "high": "30 calendar days"}},
        {"empirical": {"values": ["1 working h", "5 working h"]}},
    ]
    steps: Data = {}
    for i, law in enumerate(laws):
        steps[f"delay_{i}"] = {"delay": law}
        if i < 9:
            service = {"trip": "visit", "pool": "windows", "service": law, "patience": law}
            steps[f"service_{i}"] = service | {"after": [f"service_{i - 1}"] if i else []}
    data = hall(
        {"case": case_type(steps, {"per_hour": 20})}, {"windows": pool()}, open=LUNCH, days=60
    )
    assert_same(plan_of(data), 0, 1)


def test_the_same_workload_where_each_channel_has_its_own_hours() -> None:
    """Cases are not in order as they are drawn, and the horizon cuts some of them off."""
    data = one_pool({"per_working_day": 50, "profile": "day"}, "1 min", days=30)
    data["profiles"] = {
        "day": {"half_hours": {"09:00": 1, "15:00": 1}, "weekdays": {"mon": 3}},
        "evening": {"half_hours": {"20:00": 1}, "every_day": True},
    }
    case = data["case_types"]["case"]
    case["attributes"] = {
        "age": {"young": "20 %", "old": "80 %"},
        "channel": {"counter": "60 %", "online": "40 %"},
    }
    case["arrivals"]["profile"] = {"channel": {"counter": "day", "online": "evening"}}
    case["priority"] = {"channel": {"counter": 1, "online": 0}}
    for calendar in ("always", "weekdays"):
        data["calendar"] = calendar
        assert_same(plan_of(data), 0, 1)


def test_the_same_workload_of_batches() -> None:
    """Beside cases that come alone."""
    one = {"serve": {"pool": "windows", "service": "1 min"}}
    for batch in (2, {"1": "50 %", "3": "30 %", "7": "20 %"}):
        data = hall(
            {
                "drawn": case_type(one, {"per_hour": 9, "batch": batch}),
                "known": case_type(one, {"every": "1 working day", "at": "10:00", "batch": batch}),
                "alone": case_type(one, {"per_hour": 9}),
            },
            {"windows": pool()},
            days=5,
        )
        assert_same(plan_of(data), 0, 1)


def test_the_same_workload_of_a_recorded_day() -> None:
    """Beside drawn cases; what is outside the horizon is not there."""
    data = hall(
        {
            "recorded": case_type({"serve": {"pool": "windows", "service": "1 min"}}),
            "drawn": case_type({"serve": {"pool": "windows", "service": "1 min"}}, {"per_hour": 9}),
        },
        {"windows": pool()},
    )
    data["case_types"]["recorded"] |= {
        "attributes": {
            "age": {"young": "20 %", "old": "80 %"},
            "channel": {"counter": "50 %", "online": "50 %"},
        },
        "arrivals": {
            "recorded": {
                "arrived_at": [
                    "2020-01-01 10:00:00",
                    "2020-01-01 09:00:00",
                    "2019-12-31 23:59:59",
                    "2020-01-02 00:00:00",
                ],
                "channel": ["online", "counter", "online", "online"],
            }
        },
    }
    assert_same(plan_of(data), 0, 1)


def test_the_same_workload_of_cases_that_hardly_get_out_of_a_loop() -> None:
    """More visits than streams were made for, and more itineraries than there was room for."""
    steps = {
        "a": {"delay": "1 min", "again": {"probability": "85 %"}},
        "b": {"after": "a", "delay": "1 min", "again": {"probability": "85 %", "from": "a"}},
    }
    assert_same(plan_of(hall({"case": case_type(steps, {"per_hour": 40})})), 0)


def test_more_arrivals_than_were_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw_tables, "points_at_once", int)
    data = one_pool({"per_hour": 9}, "1 min", days=5)
    assert_same(plan_of(data), *range(5))


def test_the_comparison_notices_one_changed_second() -> None:
    plan = plan_of(CATALOGUE["overload"])
    expected, found = draw_workload(plan), compiled_draw.draw_workload(plan)
    found.step_time[5] += 1
    assert differences(expected, found) == ["step_time"]


# --- its parts -----------------------------------------------------------------------------------


@njit
def rounded(coefficients: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    result = np.empty_like(numbers)
    for i in range(len(numbers)):
        result[i] = draw_loops._rounded(coefficients, 0, numbers[i])
    return result


def test_streams_are_those_of_numpy_wherever_they_are_entered() -> None:
    names = Streams(7, 3)
    keys = [names.key("case", "service", visit) for visit in range(50)]
    streams = compiled_draw._new_streams(keys)
    uses = ("sim.engines.compiling", "sim.engines.draw_numbers", "sim.engines.draw_tables")
    look_up = Kernel("stream_kernel", "look_up", uses)
    scattered = np.random.default_rng(1).integers(0, 20_000, 200)
    ordinals = np.concatenate([np.arange(9), scattered, [0, 19_999, 19_998, 3]])
    for visit in range(50):
        expected = names.uniforms(20_000, "case", "service", visit)[ordinals]
        found = np.empty(len(ordinals), np.int64)
        stream = visit * draw_tables.STREAM
        look_up(Wanted(streams, stream, len(ordinals), ordinals, found))
        assert np.array_equal(found * draw_tables.UNIT, expected)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_times_are_the_rounded_quantiles(law: Distribution) -> None:
    """For a million numbers and where the rounded value changes; few are left to the law."""
    coefficients = draw_tables.polynomials(law).ravel()
    drawn = np.random.default_rng(1).integers(0, 2**53, 1_000_000)
    for tried in (drawn, _changes(law), np.array([0, 1, 2**52 - 1, 2**52, 2**53 - 1])):
        found = rounded(coefficients, tried)
        is_left = found < 0
        assert np.array_equal(found[is_left], -1 - tried[is_left])
        expected = whole_seconds(law.quantile(tried * draw_tables.UNIT))
        assert np.array_equal(found[~is_left], expected[~is_left])
        if tried is drawn:
            most = {Triangular: 0.04, LogNormal: 1 if law.scv == 0 else 1e-3}
            assert is_left.mean() <= most.get(type(law), 1e-3)


def _changes(law: Distribution) -> np.ndarray:
    """Numbers around those at which the rounded value of a law becomes larger."""
    ends = law.quantile(np.array([0.001, 0.999]))
    below = np.unique(np.linspace(*ends, 300).astype(np.int64))
    least, most = np.zeros(len(below), np.int64), np.full(len(below), 2**53 - 1)
    for _ in range(53):
        middle = (least + most) // 2
        is_above = whole_seconds(law.quantile(middle * draw_tables.UNIT)) > below
        least, most = np.where(is_above, least, middle), np.where(is_above, middle, most)
    nearer = [0, *(sign * 2**bits for bits in range(0, 45, 2) for sign in (-1, 1))]
    around = most[:, None] + np.array(nearer)
    return np.clip(around, 0, 2**53 - 1).ravel()


def test_a_law_that_no_polynomial_follows_is_asked_itself() -> None:
    """Where it bends, and where times are so long that sums of floats are not exact enough."""
    bend = Triangular(0, 1000, 4000)
    coefficients = draw_tables.polynomials(bend)
    ends = np.sort(draw_tables._uniforms(np.array([-0.5, 0.5])), axis=1)
    [cell] = np.flatnonzero((ends[:, 0] <= 0.25) & (ends[:, 1] >= 0.25))[:1]
    assert coefficients[cell].tolist() == [0.5, *[0.0] * (draw_tables.TERMS - 1)]
    too_long = draw_tables.polynomials(Uniform(0, 3e9))
    assert too_long[-1].tolist() == [0.5, *[0.0] * (draw_tables.TERMS - 1)]
