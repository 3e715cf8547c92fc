"""Closed-form answers of queueing theory.

They are the oracle of the tests and the first guess of staffing; no simulation here. Rates are per
the caller's unit of time, and times come out in that unit. A waiting time is in the queue, without
the service; a response time includes the service. `offered_load` is arrival rate / service rate,
in servers (erlangs). Queues are first come, first served unless the name says otherwise.

Every function raises ValueError for a parameter that makes no sense, and, where a steady state is
needed, for a load per server of 1 or more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np


def erlang_b(servers: int, offered_load: float) -> float:
    """Share of arrivals lost in M/G/c/c, where nobody can wait.

    Any offered load will do. Source: Cooper, Introduction to Queueing Theory, Erlang loss formula.
    """
    _check("offered_load", offered_load, offered_load >= 0, "0 or more")
    return mmck_blocking(offered_load, 1.0, servers, room=0)


def erlang_c(servers: int, offered_load: float) -> float:
    """Share of arrivals that must wait in M/M/c.

    Source: Cooper, Introduction to Queueing Theory, Erlang delay formula.
    """
    blocked = erlang_b(servers, offered_load)
    load = _load(offered_load, 1.0, servers)
    return blocked / (1 - load * (1 - blocked))


def mmc_waiting_time(arrival_rate: float, service_rate: float, servers: int) -> float:
    """Mean waiting time in M/M/c. Source: Gross and Harris, Fundamentals of Queueing Theory."""
    must_wait, spare_rate = _must_wait_and_spare_rate(arrival_rate, service_rate, servers)
    return must_wait / spare_rate


def mmc_waiting_time_exceeds(
    arrival_rate: float, service_rate: float, servers: int, time: float
) -> float:
    """Probability that someone waits longer than `time` (0 or more) in M/M/c.

    Source: Gross and Harris, Fundamentals of Queueing Theory.
    """
    _check("time", time, time >= 0, "0 or more")
    must_wait, spare_rate = _must_wait_and_spare_rate(arrival_rate, service_rate, servers)
    return must_wait * math.exp(-spare_rate * time)


def mmc_waiting_time_quantile(
    arrival_rate: float, service_rate: float, servers: int, probability: float
) -> float:
    """Time that a share `probability` of all arrivals do not wait longer than, in M/M/c.

    probability  in [0, 1); up to the share that need not wait at all, the answer is 0.

    Source: Gross and Harris, Fundamentals of Queueing Theory.
    """
    _check("probability", probability, 0 <= probability < 1, "at least 0 and below 1")
    must_wait, spare_rate = _must_wait_and_spare_rate(arrival_rate, service_rate, servers)
    if must_wait <= 1 - probability:
        return 0.0
    return math.log(must_wait / (1 - probability)) / spare_rate


def mg1_waiting_time(arrival_rate: float, mean_service: float, scv: float) -> float:
    """Mean waiting time in M/G/1, scv being that of the service time.

    Source: Gross and Harris, Fundamentals of Queueing Theory, Pollaczek-Khinchine formula.
    """
    _check("mean_service", mean_service, mean_service > 0, "above 0")
    _check("scv", scv, scv >= 0, "0 or more")
    load = _load(arrival_rate, 1 / mean_service, 1)
    return load * mean_service * (1 + scv) / (2 * (1 - load))


def priority_waiting_times(
    arrival_rates: Sequence[float], service_rate: float, servers: int
) -> np.ndarray:
    """Mean waiting time of each class in M/M/c where a service is never interrupted.

    arrival_rates  one a class, the class served first at index 0; all have one service rate.

    Returns float64, shape (num_classes,).
    Source: Cobham, Priority Assignment in Waiting Line Problems (1954).
    """
    if len(arrival_rates) == 0:
        raise ValueError("arrival_rates: there are none; there must be at least one")
    for rate in arrival_rates:
        _check("arrival_rates", rate, rate >= 0, "0 or more")
    total_rate = math.fsum(arrival_rates)
    _load(total_rate, service_rate, servers)
    until_free = erlang_c(servers, total_rate / service_rate) / (servers * service_rate)
    load_up_to = np.cumsum([0.0, *arrival_rates]) / (servers * service_rate)
    return np.asarray(until_free / ((1 - load_up_to[:-1]) * (1 - load_up_to[1:])))


def mmck_blocking(arrival_rate: float, service_rate: float, servers: int, room: int) -> float:
    """Share of arrivals lost in M/M/c with `room` places to wait, besides those being served.

    Any load will do. Source: Gross and Harris, Fundamentals of Queueing Theory, M/M/c/K.
    """
    _check("servers", servers, servers >= 1 and servers % 1 == 0, "a whole number, 1 or more")
    _check("room", room, room >= 0 and room % 1 == 0, "a whole number, 0 or more")
    _check("arrival_rate", arrival_rate, arrival_rate >= 0, "0 or more")
    _check("service_rate", service_rate, service_rate > 0, "above 0")
    # One place more at a time, not the sum of powers over factorials: that one overflows.
    blocked = 1.0
    for place in range(1, servers + room + 1):
        flow = arrival_rate * blocked
        blocked = flow / (min(place, servers) * service_rate + flow)
    return blocked


def jackson_visits(external: Sequence[float], routing: Sequence[Sequence[float]]) -> np.ndarray:
    """Flow through each station of an open network: the solution of the traffic equations.

    external  one a station: arrivals from outside, as rates (then flows are rates) or as shares
              that sum to 1 (then flows are mean visits of a case).
    routing   one row a station: probabilities of going on to each station; the rest leaves.

    Returns float64, shape (num_stations,). Raises ValueError if some cases never leave.
    Source: Jackson, Networks of Waiting Lines (1957).
    """
    inflow, probabilities = np.array(external, dtype=float), np.array(routing, dtype=float)
    num_stations = inflow.size
    if probabilities.shape != (num_stations, num_stations):
        raise ValueError(
            f"routing: shape {probabilities.shape} must be {(num_stations, num_stations)}, "
            "one row and one column a station"
        )
    if not (np.isfinite(inflow).all() and (inflow >= 0).all()):
        raise ValueError("external: every value must be 0 or more")
    if not ((probabilities >= 0).all() and (probabilities.sum(axis=1) <= 1 + 1e-9).all()):
        raise ValueError("routing: every value must be 0 or more and every row sum at most 1")
    if np.abs(np.linalg.eigvals(probabilities)).max(initial=0.0) > 1 - 1e-9:
        raise ValueError("routing: some cases never leave; every station must lead to a way out")
    return np.linalg.solve(np.eye(num_stations) - probabilities.T, inflow)


def fork_join_two_response_time(arrival_rate: float, service_rate: float) -> float:
    """Mean time until both halves of a case are done, each half at an M/M/1 queue of its own.

    Source: Nelson and Tantawi, Approximate Analysis of Fork/Join Synchronization (1988); exact for
    two.
    """
    load = _load(arrival_rate, service_rate, 1)
    return (12 - load) / (8 * (1 - load)) / service_rate


def expected_maximum_of_exponentials(means: Sequence[float]) -> float:
    """Mean of the largest of independent exponentials, by inclusion and exclusion.

    means  1 to 20 of them: the terms double with each one, and cancel each other.

    Source: Ross, Introduction to Probability Models, chapter on the exponential distribution.
    """
    if not 1 <= len(means) <= 20:
        raise ValueError(f"means: there are {len(means)}; there must be 1 to 20")
    for mean in means:
        _check("means", mean, mean > 0, "above 0")
    rates = [1 / mean for mean in means]
    return math.fsum(
        (-1) ** (size + 1) / sum(subset)
        for size in range(1, len(rates) + 1)
        for subset in combinations(rates, size)
    )


def batch_mx_m1_waiting_time(
    batch_rate: float, service_rate: float, batch_mean: float, batch_second_moment: float
) -> float:
    """Mean waiting time of a case in M^X/M/1, where X cases arrive together.

    batch_rate           batches per unit of time, not cases.
    batch_second_moment  mean of X²; at least batch_mean².

    Source: Gross and Harris, Fundamentals of Queueing Theory, bulk input.
    """
    _check("batch_mean", batch_mean, batch_mean >= 1, "1 or more")
    _check(
        "batch_second_moment",
        batch_second_moment,
        batch_second_moment >= batch_mean**2 * (1 - 1e-12),
        f"at least the square of batch_mean ({batch_mean**2:g})",
    )
    load = _load(batch_rate * batch_mean, service_rate, 1)
    queue_ahead = (batch_second_moment + batch_mean) / (2 * batch_mean * (1 - load))
    return (queue_ahead - 1) / service_rate


def _must_wait_and_spare_rate(
    arrival_rate: float, service_rate: float, servers: int
) -> tuple[float, float]:
    """In M/M/c, the share that must wait, and the rate at which their waiting ends."""
    _load(arrival_rate, service_rate, servers)
    must_wait = erlang_c(servers, arrival_rate / service_rate)
    return must_wait, servers * service_rate - arrival_rate


def _load(arrival_rate: float, service_rate: float, servers: int) -> float:
    """Load per server; raises ValueError if it is 1 or more."""
    _check("servers", servers, servers >= 1 and servers % 1 == 0, "a whole number, 1 or more")
    _check("arrival_rate", arrival_rate, arrival_rate >= 0, "0 or more")
    _check("service_rate", service_rate, service_rate > 0, "above 0")
    load = arrival_rate / (servers * service_rate)
    if load >= 1:
        raise ValueError(f"the load per server is {load:g}; the queue settles only below 1")
    return load


def _check(name: str, value: float, is_right: bool, what_is_right: str) -> None:
    if not (is_right and math.isfinite(value)):
        raise ValueError(f"{name}: {value:g} must be {what_is_right}")
