"""Service-time families against scipy.stats, against their own integrals, and at the extremes."""

import math
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from sim.distributions import (
    Constant,
    Distribution,
    Empirical,
    Erlang,
    Exponential,
    Gamma,
    LogNormal,
    Triangular,
    Uniform,
    Weibull,
    longest,
    normal_quantile,
    whole_seconds,
)

LARGEST_U = 1 - 2**-53
"""The largest number below 1: generators of 53-bit uniform numbers do draw it."""

ORACLES = [
    (Uniform(5, 20), stats.uniform(5, 15)),
    (Triangular(10, 15, 40), stats.triang(5 / 30, 10, 30)),
    (Triangular(0, 0, 8), stats.triang(0, 0, 8)),
    (Triangular(2, 8, 8), stats.triang(1, 2, 6)),
    (Exponential(12), stats.expon(scale=12)),
    (Gamma(30, 0.4), stats.gamma(0.4, scale=75)),
    (Gamma(30, 7.5), stats.gamma(7.5, scale=4)),
    (Erlang(15, 2), stats.gamma(2, scale=7.5)),
    (LogNormal(30, 0.5), stats.lognorm(math.sqrt(math.log(1.25)), scale=30 / math.sqrt(1.25))),
    (LogNormal(15, 1.5), stats.lognorm(math.sqrt(math.log(3.25)), scale=15 / math.sqrt(3.25))),
    (Weibull(10, 0.8), stats.weibull_min(0.8, scale=10 / math.gamma(2.25))),
    (Weibull(10, 3), stats.weibull_min(3, scale=10 / math.gamma(4 / 3))),
]
WITHOUT_ORACLE = [
    Constant(20),
    Constant(0),
    Uniform(7, 7),
    Uniform(0, 0),
    Triangular(7, 7, 7),
    Triangular(0, 0, 0),
    LogNormal(30, 0),
    Empirical((4, 1, 1, 10)),
    Empirical((0, 0)),
]
EXTREMES = [
    Uniform(0, 1e100),
    Triangular(0, 1e-300, 1e100),
    Triangular(5e-324, 5e-324, 5e-324),
    Exponential(1e100),
    Gamma(1e100, 1e-100),
    Gamma(1e100, 1e-5),
    Gamma(1e100, 1e100),
    Erlang(1, 10**9),
    LogNormal(1e100, 1e-100),
    LogNormal(1e100, 1e9),
    LogNormal(1e100, 1e100),
    Weibull(1e100, 1 / 170),
    Weibull(1e100, 1e100),
    Empirical((1e100, 1e-100, 0)),
]


@pytest.mark.parametrize(("family", "oracle"), ORACLES, ids=[str(f) for f, _ in ORACLES])
def test_moments_and_quantiles_are_those_of_scipy(family, oracle):
    u = np.concatenate([[0, 1e-12, LARGEST_U], np.linspace(0.001, 0.999, 999)])
    assert family.mean == pytest.approx(oracle.mean(), rel=1e-12)
    assert family.scv == pytest.approx(oracle.var() / oracle.mean() ** 2, rel=1e-9)
    np.testing.assert_allclose(family.quantile(u), oracle.ppf(u), rtol=1e-9)


@pytest.mark.parametrize("family", [f for f, _ in ORACLES] + WITHOUT_ORACLE, ids=str)
def test_integrals_of_the_quantile_are_the_moments(family):
    """Midpoint rule; what it misses is the far end of the longest tail, most in the variance."""
    values = family.quantile((np.arange(1_000_000) + 0.5) / 1_000_000)
    assert values.mean() == pytest.approx(family.mean, rel=2e-4)
    assert values.var() == pytest.approx(family.scv * family.mean**2, rel=0.01, abs=1e-12)


@pytest.mark.parametrize("family", [f for f, _ in ORACLES] + WITHOUT_ORACLE + EXTREMES, ids=str)
def test_every_uniform_number_gives_a_finite_value_and_a_larger_one_no_less(
    family: Distribution,
):
    u = np.concatenate([[0, 5e-324, 1e-300], np.linspace(1e-9, LARGEST_U, 2001)])
    values = family.quantile(u)
    assert values.dtype == np.float64
    assert np.isfinite(values).all()
    assert (values >= 0).all()
    assert (np.diff(values) >= 0).all()
    assert math.isfinite(family.mean)
    assert 0 <= family.scv < math.inf


@pytest.mark.parametrize("family", [f for f, _ in ORACLES] + WITHOUT_ORACLE, ids=str)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_values_have_the_shape_of_the_uniform_numbers(family, shape):
    assert np.shape(family.quantile(np.full(shape, 0.25))) == shape


@settings(derandomize=True, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=3, max_size=3), st.floats(0, 1, exclude_max=True))
def test_triangular_values_stay_inside_and_lead_back_to_the_uniform_number(corners, u):
    low, mode, high = sorted(corners)
    value = float(Triangular(low, mode, high).quantile(np.array(u)))
    assert low <= value <= high
    if high - low > 1e-3:
        scale = high - low
        assert stats.triang((mode - low) / scale, low, scale).cdf(value) == pytest.approx(
            u, abs=1e-6
        )


@pytest.mark.parametrize(
    "family",
    [Constant(7), Uniform(7, 7), Triangular(7, 7, 7), LogNormal(7, 0), Empirical((7.0,))],
    ids=str,
)
def test_a_family_without_variation_is_a_constant(family):
    assert (family.mean, family.scv) == (7, 0)
    assert family.quantile(np.array([0, 0.5, LARGEST_U])).tolist() == [7, 7, 7]


def test_families_meet_where_they_are_the_same():
    u = np.linspace(0, 0.999, 50)
    for family in (Gamma(9, 1), Erlang(9, 1), Weibull(9, 1)):
        assert family.scv == pytest.approx(1)
        np.testing.assert_allclose(family.quantile(u), Exponential(9).quantile(u), rtol=1e-12)


def test_measured_values_share_the_uniform_numbers_alike():
    """Thirds: below 1/3 the smallest; at 1/3 already the next, as intervals are [left, right)."""
    measured = Empirical((30, 10, 20))
    assert measured.values == (10, 20, 30)
    u = np.array([0, 0.333, 1 / 3, 0.5, 0.666, 2 / 3, LARGEST_U])
    assert measured.quantile(u).tolist() == [10, 10, 20, 20, 20, 30, 30]
    assert measured.mean == 20
    assert measured.scv == pytest.approx(200 / 3 / 400)


def test_the_largest_uniform_number_gives_the_largest_measured_value():
    for num_values in [*range(1, 300), 1023, 1024, 1025, 99_999]:
        measured = Empirical(tuple(range(num_values)))
        assert measured.quantile(np.array(LARGEST_U)) == num_values - 1


@pytest.mark.parametrize("bad", [-1, math.nan, math.inf, 1e101])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("value", Constant),
        ("low", lambda bad: Uniform(bad, 5)),
        ("high", lambda bad: Uniform(5, bad)),
        ("low", lambda bad: Triangular(bad, 5, 9)),
        ("mode", lambda bad: Triangular(5, bad, 9)),
        ("high", lambda bad: Triangular(5, 9, bad)),
        ("mean", Exponential),
        ("mean", lambda bad: Gamma(bad, 2)),
        ("shape", lambda bad: Gamma(5, bad)),
        ("mean", lambda bad: Erlang(bad, 2)),
        ("k", lambda bad: Erlang(5, bad)),
        ("mean", lambda bad: LogNormal(bad, 2)),
        ("cv", lambda bad: LogNormal(5, bad)),
        ("mean", lambda bad: Weibull(bad, 2)),
        ("shape", lambda bad: Weibull(5, bad)),
        ("values[1]", lambda bad: Empirical((5, bad))),
    ],
)
def test_a_number_out_of_range_is_named(name, make, bad):
    expected = (
        rf"^{re.escape(f'{name}: {bad:g}')} must be (0 or more|positive), from .* to 1e\+100$"
    )
    with pytest.raises(ValueError, match=expected):
        make(bad)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(9, 5), r"^low, high: 9, 5 must be in ascending order$"),
        (lambda: Triangular(1, 9, 5), r"^low, mode, high: 1, 9, 5 must be in ascending order$"),
        (lambda: Triangular(3, 2, 5), r"^low, mode, high: 3, 2, 5 must be in ascending order$"),
        (lambda: Exponential(0), r"^mean: 0 must be positive"),
        (lambda: Gamma(5, 0), r"^shape: 0 must be positive"),
        (lambda: Erlang(5, 0), r"^k: 0 must be positive"),
        (lambda: Erlang(5, 2.5), r"^k: 2.5 must be a whole number; gamma takes any shape$"),
        (lambda: LogNormal(0, 1), r"^mean: 0 must be positive"),
        (lambda: Weibull(5, 0.005), r"^shape: 0.005 must be positive, from 0.00588235"),
        (lambda: Empirical(()), r"^values: there are none; there must be at least one$"),
    ],
)
def test_parameters_that_make_no_family_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_half_a_second_is_rounded_up():
    seconds = whole_seconds(np.array([[0, 0.49, 0.5], [1.5, 2.5, 3.2e9]]))
    assert seconds.dtype == np.int64
    assert seconds.tolist() == [[0, 0, 1], [2, 3, 3_200_000_000]]


@pytest.mark.parametrize(
    ("bad", "as_text"), [(-0.1, "-0.1"), (math.nan, "nan"), (math.inf, "inf"), (3.3e9, "3.3e+09")]
)
def test_a_duration_that_cannot_be_is_not_rounded(bad, as_text):
    expected = f"1 of 3 durations cannot be used, the first is {as_text} s; they must be from 0 to"
    with pytest.raises(ValueError, match=re.escape(expected)):
        whole_seconds(np.array([1, bad, 2]))


def test_scipy_is_not_loaded_before_it_is_needed():
    """Loading scipy takes longer than everything else that a short command does."""
    program = "import sys, sim.distributions, sim.queueing; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_normal_quantiles_are_those_of_scipy() -> None:
    u = np.concatenate(
        (
            np.linspace(0, 1, 200_001)[1:-1],
            2.0 ** -np.arange(2, 1000),
            1 - 2.0 ** -np.arange(1, 54),
            [0.075, 0.925, np.exp(-25.0), 1 - np.exp(-25.0)],
        )
    )
    assert normal_quantile(u) == pytest.approx(special.ndtri(u), rel=1e-14, abs=1e-15)
    assert normal_quantile(np.array([0.0, 0.5])).tolist() == [-np.inf, 0.0]
    assert normal_quantile(np.array(0.975)).shape == ()
    assert normal_quantile(np.empty((0, 3))).shape == (0, 3)


def test_the_longest_time_that_can_be_drawn() -> None:
    assert longest(Exponential(2.0)) == pytest.approx(2 * 53 * math.log(2))
    assert longest(Constant(3.0)) == 3.0
