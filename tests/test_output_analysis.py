"""Means and Student-t intervals over replications."""

import math

import numpy as np
import pytest
from scipy import stats

from sim import queueing
from sim.errors import TooFewReplications
from sim.output_analysis import Estimate, estimate, half_width, wilson_interval

NAN = math.nan


def test_a_textbook_interval() -> None:
    """Law: ten values with mean 1.34 and variance 0.17 give 1.34 +- 0.24 at 90 %."""
    values = [1.20, 1.50, 1.68, 1.89, 0.95, 1.49, 1.58, 1.55, 0.50, 1.09]
    found = estimate(values, confidence=0.90)
    assert found.mean == pytest.approx(1.34, abs=0.005)
    assert found.half_width == pytest.approx(0.24, abs=0.005)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.999])
def test_the_interval_is_scipys(confidence: float) -> None:
    values = np.random.default_rng(3).normal(5, 2, 12)
    found = estimate(values, confidence)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(confidence)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    """2000 intervals, fixed seed: 95 % +- 1.5 %, which chance would leave once in 500 seeds."""
    rng = np.random.default_rng(1)
    found = [estimate(rng.normal(3, 1, 5)) for _ in range(2000)]
    assert np.mean([e.low <= 3 <= e.high for e in found]) == pytest.approx(0.95, abs=0.015)


def test_one_replication_has_no_interval() -> None:
    found = estimate([4.2])
    assert found.mean == 4.2
    assert found.num_replications == 1
    assert not found.is_estimable
    assert math.isnan(found.low)


def test_no_replication_has_no_mean() -> None:
    for values in ([], [NAN, NAN]):
        found = estimate(values)
        assert math.isnan(found.mean)
        assert found.num_replications == 0


def test_replications_without_a_value_are_left_out_and_not_counted() -> None:
    assert estimate([1.0, NAN, 3.0, math.inf]) == estimate([1.0, 3.0])
    assert estimate([1.0, NAN, 3.0]).num_replications == 2


def test_values_that_do_not_vary_have_an_interval_of_no_width() -> None:
    """Also where adding up and dividing would round: 0.1 is no binary fraction."""
    assert estimate([0.1] * 3) == Estimate(0.1, 0.0, 3)
    assert estimate([0.1] * 3).is_estimable


def test_an_interval_that_is_demanded_needs_two_replications() -> None:
    with pytest.raises(TooFewReplications, match="needs 2 replications with a value, found 1"):
        half_width([1.0, NAN])


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95, NAN])
def test_a_confidence_lies_between_0_and_1(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence lies between 0 and 1"):
        half_width([1.0, 2.0], confidence)


# At another confidence, and how many replications


@pytest.mark.parametrize("values", [[1.0, 2.0, 4.0], [3.0, 3.0], [5.0], []])
def test_an_estimate_at_another_confidence_is_that_of_the_same_values(values: list[float]) -> None:
    found, wanted = estimate(values).at(0.99), estimate(values, 0.99)
    assert found.num_replications == wanted.num_replications
    assert found.confidence == 0.99
    assert (found.mean, found.half_width) == pytest.approx(
        (wanted.mean, wanted.half_width), nan_ok=True
    )


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
@pytest.mark.parametrize("mean", [0.9, -0.3, 0.1])
def test_what_is_needed_is_what_makes_the_interval_leave_0_out(
    mean: float, confidence: float
) -> None:
    """Normal values, more and more of them, scaled to one mean and one variance."""
    rng = np.random.default_rng(8)

    def values(count: int) -> np.ndarray:
        drawn = rng.normal(0, 1, count)
        return mean + (drawn - drawn.mean()) / drawn.std(ddof=1)

    needed = estimate(values(3), confidence).needed()
    first = next(n for n in range(4, 2000) if half_width(values(n), confidence) < abs(mean))
    assert needed == first


def test_what_is_needed_agrees_with_scipys_quantiles() -> None:
    rng = np.random.default_rng(5)
    for values in rng.normal(0.5, 1, (100, 4)):
        needed, ratio = estimate(values).needed(), abs(values.mean()) / values.std(ddof=1)
        reached = [
            stats.t.ppf(0.975, n - 1) / math.sqrt(n) < ratio for n in (4, needed - 1, needed)
        ]
        assert reached == ([True, False, False] if math.isnan(needed) else [False, False, True])


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        ([1.0, 1.1, 0.9], NAN),  # left out already
        ([0.0, 0.0, 0.0], NAN),
        ([2.0, 2.0], NAN),
        ([1.0], NAN),
        ([], NAN),
        ([1.0, -1.0], math.inf),
        ([1.0, -1.0, 1e-200], math.inf),
    ],
)
def test_where_nothing_more_is_needed_or_would_help(values: list[float], needed: float) -> None:
    assert estimate(values).needed() == pytest.approx(needed, nan_ok=True)


def test_a_number_beyond_all_counting_is_found() -> None:
    """With so many, Student's t is normal: (z / ratio) squared."""
    needed = Estimate(1e-12, stats.t.ppf(0.975, 9) / math.sqrt(10), 10).needed()
    assert needed == pytest.approx((stats.norm.ppf(0.975) * 1e12) ** 2, rel=1e-6)


# Shares


@pytest.mark.parametrize(
    ("successes", "trials"), [(0, 1), (0, 7), (2, 7), (7, 7), (1, 1), (55, 99)]
)
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.9999])
def test_the_interval_of_a_share_is_scipys(successes: int, trials: int, confidence: float) -> None:
    theirs = stats.binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    found = wilson_interval(successes, trials, confidence)
    assert found == pytest.approx((theirs.low, theirs.high), abs=1e-14)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (1, 1), (940, 1000)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_the_ends_of_a_share_are_a_standard_score_away_from_it(
    successes: int, trials: int, confidence: float
) -> None:
    """Wilson: the probabilities p for which |share - p| = z sqrt(p (1 - p) / trials)."""
    z, share = stats.norm.ppf((1 + confidence) / 2), successes / trials
    ends = np.roots([1 + z**2 / trials, -2 * share - z**2 / trials, share**2])
    found = wilson_interval(successes, trials, confidence)
    assert found == pytest.approx(sorted(ends), abs=1e-9)
    assert 0 <= found[0] <= share <= found[1] <= 1


def test_a_share_that_is_none_or_all_has_an_interval_of_some_width() -> None:
    """With z = 1.96: z^2 / (10 + z^2) = 0.2775."""
    assert wilson_interval(0, 10) == pytest.approx((0, 0.2775), abs=5e-5)
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1), abs=5e-5)


def test_the_interval_of_a_share_covers_it_about_as_often_as_it_says() -> None:
    """Exactly, by the binomial law: 93 to 98 % in 30 trials, for probabilities of 5 to 95 %."""
    intervals = np.array([wilson_interval(successes, 30) for successes in range(31)])
    for share in np.linspace(0.05, 0.95, 19):
        covers = (intervals[:, 0] <= share) & (share <= intervals[:, 1])
        assert 0.925 < stats.binom.pmf(np.arange(31), 30, share)[covers].sum() < 0.985


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 3), (4, 3)])
def test_a_share_is_of_trials(successes: int, trials: int) -> None:
    with pytest.raises(ValueError, match="must "):
        wilson_interval(successes, trials)


def test_the_confidence_of_a_share_lies_between_0_and_1() -> None:
    with pytest.raises(ValueError, match="confidence lies between 0 and 1, not 95"):
        wilson_interval(1, 2, 95)


# A queue


def mean_waits(rng: np.random.Generator, num_queues: int, load: float, servers: int) -> np.ndarray:
    """Mean wait of 2000 customers, after the first 200, in each of many M/M/c; mean service 1.

    Source of the recursion: Kiefer and Wolfowitz, On the Theory of Queues with Many Servers (1955).
    """
    work = np.zeros((num_queues, servers))  # of each server, the least first
    total = np.zeros(num_queues)
    for customer in range(2200):
        total += work[:, 0] * (customer >= 200)
        work[:, 0] += rng.exponential(1, num_queues)
        work -= rng.exponential(1 / (load * servers), (num_queues, 1))
        np.maximum(work, 0, out=work)
        work.sort(axis=1)
    return total / 2000


@pytest.mark.long
@pytest.mark.parametrize(("load", "servers"), [(0.5, 1), (0.6, 3)])
def test_the_interval_covers_the_exact_wait_as_often_as_it_says(load: float, servers: int) -> None:
    """1500 experiments of 10 replications of M/M/c: 95 % +- 2 %; chance leaves that once in 2000.

    Means of 2000 waits are skewed still, which costs coverage some 0.5 %.
    """
    exact = queueing.mmc_waiting_time(load * servers, 1.0, servers)
    waits = mean_waits(np.random.default_rng(7), 1500 * 10, load, servers)
    found = [estimate(values) for values in waits.reshape(1500, 10)]
    covers = [each.low <= exact <= each.high for each in found]
    assert np.mean(covers) == pytest.approx(0.95, abs=0.02)
