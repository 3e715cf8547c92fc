"""How much of the beginning to leave out, against brute force and a process that is known."""

from __future__ import annotations

import numpy as np
import pytest

from sim.warm_up import mser5_truncation, welch_average


def autoregressive(start: float, num_values: int, seed: int, phi: float = 0.9) -> np.ndarray:
    """AR(1) about 0 whose expectation is start * phi^(i + 1) at place i."""
    noise = np.random.default_rng(seed).normal(size=num_values)
    values = np.empty(num_values)
    last = start
    for i in range(num_values):
        values[i] = last = phi * last + noise[i]
    return values


def mser5_by_definition(series: np.ndarray) -> int:
    """Every truncation point by itself."""
    batches = [series[i : i + 5].mean() for i in range(0, len(series) - 4, 5)]
    statistics = [
        sum((b - np.mean(batches[d:])) ** 2 for b in batches[d:]) / (len(batches) - d) ** 2
        for d in range(len(batches) // 2 + 1)
    ]
    return 5 * int(np.argmin(statistics))


# MSER-5


@pytest.mark.parametrize("num_values", [10, 14, 15, 99, 237])
@pytest.mark.parametrize("start", [0.0, 20.0, -300.0])
def test_mser5_is_what_its_definition_says(num_values: int, start: float) -> None:
    for seed in range(10):
        series = 1e4 + autoregressive(start, num_values, seed)
        assert mser5_truncation(series) == mser5_by_definition(series)


def test_mser5_leaves_out_what_is_beside_the_rest() -> None:
    """Twelve values of a steady series of 5 are 0: the third batch has two of them."""
    assert mser5_truncation([0.0] * 12 + [5.0] * 88) == 15
    assert mser5_truncation([0.1] * 100) == 0  # no binary fraction


def test_mser5_takes_the_bias_of_a_start_far_from_the_mean() -> None:
    """AR(1) from 44 standard deviations away, which are one after 36 values.

    200 series, fixed seeds; the mean over them has a standard error of 0.024 after truncation.
    """
    series = [autoregressive(100, 1000, seed) for seed in range(200)]
    points = [mser5_truncation(values) for values in series]
    assert 30 <= np.median(points) <= 50
    assert np.mean([20 <= point <= 150 for point in points]) > 0.9
    assert np.mean([values.mean() for values in series]) > 0.8
    left = [values[point:].mean() for values, point in zip(series, points, strict=True)]
    assert abs(np.mean(left)) < 0.08


def test_mser5_leaves_a_steady_series_as_it_is() -> None:
    """Mostly: AR(1) from its mean, 200 fixed seeds."""
    points = [mser5_truncation(autoregressive(0, 1000, seed)) for seed in range(200)]
    assert np.median(points) == 0


def test_mser5_never_goes_beyond_half_of_the_series() -> None:
    """A line has no steady part."""
    for num_values in range(10, 60):
        assert mser5_truncation(np.arange(num_values)) == num_values // 5 // 2 * 5


@pytest.mark.parametrize("series", [[1.0] * 9, np.ones((20, 2)), [1.0] * 19 + [np.nan]])
def test_mser5_needs_two_batches_of_numbers(series: object) -> None:
    with pytest.raises(ValueError, match="a series of 10 finite values or more is needed"):
        mser5_truncation(series)  # type: ignore[arg-type]


# Welch


def test_welch_averages_over_replications_and_neighbours() -> None:
    """By hand: means 1, 2, 6, 4, 2; one neighbour to each side, none at the first place."""
    averages = welch_average([[0, 1, 5, 3, 1], [2, 3, 7, 5, 3]], window=1)
    np.testing.assert_allclose(averages, [1, 3, 4, 4])


@pytest.mark.parametrize("window", [0, 1, 4, 9])
def test_welch_is_what_its_definition_says(window: int) -> None:
    values = np.random.default_rng(5).normal(100, 3, (7, 20))
    expected = []
    for place in range(20 - window):
        reach = min(place, window)
        expected.append(values[:, place - reach : place + reach + 1].mean())
    np.testing.assert_allclose(welch_average(values, window), expected)


def test_welch_becomes_flat_where_the_start_is_forgotten() -> None:
    """AR(1) from 100: what is expected is 100 * 0.9^i; means of 400 replications, to 0.5.

    The standard error of one place is at most 0.115; fixed seeds.
    """
    series = [autoregressive(100, 300, seed) for seed in range(400)]
    curve = welch_average(series, window=5)
    expected = 100 * 0.9 ** np.arange(1, 301)
    np.testing.assert_allclose(curve, welch_average([expected], window=5), atol=0.5)
    assert curve[0] > 89
    assert np.abs(curve[60:]).max() < 0.7


@pytest.mark.parametrize("window", [-1, 3, 10])
def test_welch_wants_a_window_that_fits(window: int) -> None:
    with pytest.raises(ValueError, match=f"window: {window} must be 0 or more and less than 3"):
        welch_average(np.ones((2, 6)), window)


def test_welch_wants_replications() -> None:
    with pytest.raises(ValueError, match="replications x values are needed, not shape"):
        welch_average([1.0, 2.0], 0)
