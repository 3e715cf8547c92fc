"""Closed-form answers against published values, limiting cases and brute-force chains."""

import math

import numpy as np
import pytest

from sim.distributions import Constant, Erlang, Exponential, LogNormal
from sim.queueing import (
    batch_mx_m1_waiting_time,
    erlang_b,
    erlang_c,
    expected_maximum_of_exponentials,
    fork_join_two_response_time,
    jackson_visits,
    mg1_waiting_time,
    mmc_waiting_time,
    mmc_waiting_time_exceeds,
    mmc_waiting_time_quantile,
    mmck_blocking,
    priority_waiting_times,
)

PER_MINUTE = 1 / 60
HALL = (9 * PER_MINUTE, 1 / 20, 4)
"""9 customers an hour, 20 min each, 4 windows; in minutes."""


def birth_death_shares(arrival_rate: float, service_rate: float, servers: int, top: int):
    """Share of time with 0 ... top cases in the system, by multiplying up the chain."""
    weights = [1.0]
    for num_cases in range(1, top + 1):
        weights.append(weights[-1] * arrival_rate / (service_rate * min(num_cases, servers)))
    return np.array(weights) / sum(weights)


@pytest.mark.parametrize(
    ("servers", "offered_load", "must_wait", "waiting_time"),
    [
        (1, 0.8, 0.8, 4.0),
        (2, 1.6, 0.7111111, 1.7777778),
        (3, 2.4, 0.6471910, 1.0786517),
        (4, 3, 0.5094340, 0.5094340),
        (10, 9, 0.6687315, 0.6687315),
    ],
)
def test_published_values_of_mmc(servers, offered_load, must_wait, waiting_time):
    assert erlang_c(servers, offered_load) == pytest.approx(must_wait, abs=5e-8)
    assert mmc_waiting_time(offered_load, 1, servers) == pytest.approx(waiting_time, abs=5e-8)


def test_a_hall_with_four_windows():
    assert mmc_waiting_time(*HALL) == pytest.approx(10.18868, abs=5e-6)
    assert mmc_waiting_time_exceeds(*HALL, 15) == pytest.approx(0.2406396, abs=5e-8)
    assert mmc_waiting_time_quantile(*HALL, 0.9) == pytest.approx(32.5626, abs=5e-5)


def test_one_queue_for_four_windows_is_far_shorter_than_four_queues():
    assert mmc_waiting_time(2.25 * PER_MINUTE, 1 / 20, 1) == pytest.approx(60)
    assert mmc_waiting_time(*HALL) == pytest.approx(10.18868, abs=5e-6)


def test_quantile_undoes_the_tail_and_is_0_for_those_who_need_not_wait():
    must_wait = mmc_waiting_time_exceeds(*HALL, 0)
    assert must_wait == pytest.approx(erlang_c(4, 3))
    for probability in (0.5, 0.75, 0.99, 1 - 1e-9):
        time = mmc_waiting_time_quantile(*HALL, probability)
        assert mmc_waiting_time_exceeds(*HALL, time) == pytest.approx(1 - probability)
    assert mmc_waiting_time_quantile(*HALL, 0) == 0
    assert mmc_waiting_time_quantile(*HALL, 0.99 * (1 - must_wait)) == 0
    assert mmc_waiting_time_quantile(0, 1, 1, 0.999) == 0


def test_erlang_formulas_are_the_shares_of_the_birth_death_chain():
    for servers, offered_load in [(1, 0.3), (3, 2.4), (7, 6.9)]:
        lost = birth_death_shares(offered_load, 1, servers, top=servers)[-1]
        assert erlang_b(servers, offered_load) == pytest.approx(lost)
        waiting = birth_death_shares(offered_load, 1, servers, top=5000)[servers:].sum()
        assert erlang_c(servers, offered_load) == pytest.approx(waiting)


def test_erlang_formulas_hold_for_a_hundred_thousand_servers():
    """Erlang's B at load c tends to sqrt(2 / (pi c)); the sum of factorials would overflow."""
    servers = 100_000
    assert erlang_b(servers, servers) == pytest.approx(math.sqrt(2 / (math.pi * servers)), rel=3e-3)
    assert 0 < erlang_c(servers, servers - 100) < 1
    assert erlang_b(5, 0) == erlang_c(5, 0) == 0
    assert erlang_b(2, 1e9) == pytest.approx(1)


@pytest.mark.parametrize(
    ("service", "waiting_time"),
    [
        (Constant(15), 22.5),
        (Erlang(15, 2), 33.75),
        (Exponential(15), 45),
        (LogNormal(15, 1.5), 73.125),
    ],
    ids=str,
)
def test_waiting_grows_with_the_variability_of_the_service(service, waiting_time):
    """Pollaczek-Khinchine: 3 customers an hour, 15 min each."""
    answer = mg1_waiting_time(3 * PER_MINUTE, service.mean, service.scv)
    assert answer == pytest.approx(waiting_time)


@pytest.mark.parametrize(
    ("per_hour", "service_rate", "servers", "waiting_times"),
    [
        ((12, 18, 18), 1, 1, [1.0, 2.0, 8.0]),
        ((1, 3, 5), 1 / 20, 4, [2.778731, 4.168096, 15.283019]),
    ],
)
def test_published_values_of_cobham(per_hour, service_rate, servers, waiting_times):
    rates = [rate * PER_MINUTE for rate in per_hour]
    answer = priority_waiting_times(rates, service_rate, servers)
    np.testing.assert_allclose(answer, waiting_times, atol=5e-7)


def test_priorities_do_not_change_the_mean_over_classes():
    rates = np.array([1, 3, 5]) * PER_MINUTE
    mean = np.average(priority_waiting_times(list(rates), 1 / 20, 4), weights=rates)
    assert mean == pytest.approx(mmc_waiting_time(*HALL))
    assert priority_waiting_times([rates.sum()], 1 / 20, 4)[0] == pytest.approx(mean)


def test_blocking_is_the_share_of_time_that_the_chain_is_full():
    for arrival_rate, servers, room in [
        (0.5, 1, 0),
        (0.5, 1, 4),
        (2.7, 3, 5),
        (9, 3, 2),
        (3, 3, 7),
    ]:
        full = birth_death_shares(arrival_rate, 1, servers, top=servers + room)[-1]
        assert mmck_blocking(arrival_rate, 1, servers, room) == pytest.approx(full)
    assert mmck_blocking(30, 10, 4, 0) == pytest.approx(erlang_b(4, 3))
    assert mmck_blocking(2, 1, 1, 10_000) == pytest.approx(0.5)  # one in two finds no place


def test_a_correction_loop_through_three_offices():
    """Window -> review -> 20 % back to the window, else issue; 9 an hour come in."""
    flows = jackson_visits([9 * PER_MINUTE, 0, 0], [[0, 1, 0], [0.2, 0, 0.8], [0, 0, 0]])
    np.testing.assert_allclose(flows / PER_MINUTE, [11.25, 11.25, 9])
    services, servers = [8, 12, 4], [2, 3, 1]
    waiting_times = [
        mmc_waiting_time(flow, 1 / service, number)
        for flow, service, number in zip(flows, services, servers, strict=True)
    ]
    assert waiting_times == pytest.approx([10.285714, 9.084112, 6.0], abs=5e-7)
    visits = flows / (9 * PER_MINUTE)
    total_time = visits @ (np.array(waiting_times) + services)
    assert total_time == pytest.approx(59.212283, abs=5e-7)


def test_someone_sent_back_with_probability_p_comes_1_in_1_minus_p_times():
    assert jackson_visits([1], [[0.3]]).tolist() == pytest.approx([1 / 0.7])


def test_published_values_of_two_parallel_queues():
    assert fork_join_two_response_time(0.5, 1) == pytest.approx(2.875)
    assert fork_join_two_response_time(0.8, 1) == pytest.approx(7.0)
    assert fork_join_two_response_time(8, 10) == pytest.approx(0.7)
    assert fork_join_two_response_time(0, 1) == expected_maximum_of_exponentials([1, 1]) == 1.5


def test_the_slowest_of_five_offices():
    assert expected_maximum_of_exponentials([25, 15, 10, 3, 70]) == pytest.approx(
        78.552414, abs=5e-7
    )
    assert expected_maximum_of_exponentials([4]) == 4
    harmonic = sum(1 / k for k in range(1, 21))
    assert expected_maximum_of_exponentials([1] * 20) == pytest.approx(harmonic)


def test_batches_of_one_are_mm1_and_of_two_wait_for_each_other():
    """Two at a time and hardly any load: the second of the two waits for the first, 10 min."""
    assert batch_mx_m1_waiting_time(0.8, 1, 1, 1) == pytest.approx(mmc_waiting_time(0.8, 1, 1))
    assert batch_mx_m1_waiting_time(1e-12, 1 / 10, 2, 4) == pytest.approx(10 / 2)


def test_batch_waiting_is_that_of_batches_as_services_plus_those_ahead_in_the_batch():
    """A batch is one service of an M/G/1; in it, (E[X²] / E[X] - 1) / 2 others come first."""
    sizes, shares = np.array([1, 2, 6]), np.array([0.5, 0.3, 0.2])
    mean, second_moment = float(shares @ sizes), float(shares @ sizes**2)
    batch_rate, service_rate = 0.1, 0.5
    work = mean / service_rate
    variance = mean / service_rate**2 + (second_moment - mean**2) / service_rate**2
    expected = mg1_waiting_time(batch_rate, work, variance / work**2)
    expected += (second_moment / mean - 1) / 2 / service_rate
    answer = batch_mx_m1_waiting_time(batch_rate, service_rate, mean, second_moment)
    assert answer == pytest.approx(expected)


@pytest.mark.parametrize(
    "overloaded",
    [
        lambda: erlang_c(3, 3),
        lambda: mmc_waiting_time(3, 1, 3),
        lambda: mmc_waiting_time_exceeds(3, 1, 3, 1),
        lambda: mmc_waiting_time_quantile(3, 1, 3, 0.5),
        lambda: mg1_waiting_time(0.5, 2, 0),
        lambda: priority_waiting_times([0.5, 0.5], 1, 1),
        lambda: fork_join_two_response_time(2, 2),
        lambda: batch_mx_m1_waiting_time(0.5, 1, 2, 4),
    ],
)
def test_a_queue_that_never_settles_has_no_answer(overloaded):
    with pytest.raises(
        ValueError, match=r"^the load per server is 1; the queue settles only below"
    ):
        overloaded()


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda: erlang_b(0, 1), r"^servers: 0 must be a whole number, 1 or more$"),
        (lambda: erlang_b(1.5, 1), r"^servers: 1.5 must be a whole number, 1 or more$"),
        (lambda: erlang_b(1, -1), r"^offered_load: -1 must be 0 or more$"),
        (lambda: erlang_c(1, math.nan), r"^offered_load: nan must be 0 or more$"),
        (lambda: mmc_waiting_time(-1, 1, 1), r"^arrival_rate: -1 must be 0 or more$"),
        (lambda: mmc_waiting_time(1, 0, 1), r"^service_rate: 0 must be above 0$"),
        (lambda: mmc_waiting_time(1, math.inf, 1), r"^service_rate: inf must be above 0$"),
        (lambda: mmc_waiting_time_exceeds(1, 2, 1, -1), r"^time: -1 must be 0 or more$"),
        (
            lambda: mmc_waiting_time_quantile(1, 2, 1, 1),
            r"^probability: 1 must be at least 0 and below 1$",
        ),
        (lambda: mg1_waiting_time(1, 0, 1), r"^mean_service: 0 must be above 0$"),
        (lambda: mg1_waiting_time(1, 0.5, -1), r"^scv: -1 must be 0 or more$"),
        (lambda: priority_waiting_times([], 1, 1), r"^arrival_rates: there are none"),
        (lambda: priority_waiting_times([0.5, -0.1], 1, 1), r"^arrival_rates: -0.1 must be 0 or"),
        (lambda: mmck_blocking(1, 1, 1, -1), r"^room: -1 must be a whole number, 0 or more$"),
        (lambda: jackson_visits([1, 0], [[0]]), r"^routing: shape \(1, 1\) must be \(2, 2\), one"),
        (lambda: jackson_visits([-1], [[0]]), r"^external: every value must be 0 or more$"),
        (lambda: jackson_visits([1], [[1.1]]), r"^routing: every value must be 0 or more and"),
        (lambda: jackson_visits([1], [[math.nan]]), r"^routing: every value must be 0 or more and"),
        (lambda: jackson_visits([1, 0], [[0, 1], [1, 0]]), r"^routing: some cases never leave;"),
        (lambda: expected_maximum_of_exponentials([]), r"^means: there are 0; there must be 1 to"),
        (lambda: expected_maximum_of_exponentials([1] * 21), r"^means: there are 21; there must"),
        (lambda: expected_maximum_of_exponentials([1, 0]), r"^means: 0 must be above 0$"),
        (lambda: batch_mx_m1_waiting_time(1, 9, 0.5, 1), r"^batch_mean: 0.5 must be 1 or more$"),
        (
            lambda: batch_mx_m1_waiting_time(1, 9, 3, 8),
            r"^batch_second_moment: 8 must be at least the square of batch_mean \(9\)$",
        ),
    ],
)
def test_a_question_that_makes_no_sense_says_what_would(ask, message):
    with pytest.raises(ValueError, match=message):
        ask()
