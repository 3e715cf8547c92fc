"""Means and Student-t intervals over replications."""

import math

import numpy as np
import pytest
from scipy import stats

from sim.errors import TooFewReplications
from sim.output_analysis import Estimate, estimate, half_width

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
