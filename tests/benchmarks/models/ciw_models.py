"""Ciw: networks of nodes, with a customer class for each channel and priority.

It has no checks in parallel, so its hall has them one after the other.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import ciw
from small_hall import ACCEPTANCE, AGAIN, COUNTER, MEANS, SERVERS, SIGMA, URGENT, log_mean

SHARES = {"counter": COUNTER, "online": 1 - COUNTER}
URGENCY = {"urgent": (URGENT, 0), "ordinary": (1 - URGENT, 1)}


def hall_in_series(num_cases: int, seed: int) -> tuple[int, float]:
    """Cases that left, and their mean time in minutes."""
    num_nodes = len(SERVERS)
    to_next = [[float(j == i + 1) for j in range(num_nodes)] for i in range(num_nodes)]
    to_next[-1][0] = AGAIN
    arrivals: dict[str, list[Any]] = {}
    services: dict[str, list[Any]] = {}
    priorities: dict[str, int] = {}
    for channel, urgency in product(SHARES, URGENCY):
        share, priority = URGENCY[urgency]
        name = f"{urgency}, {channel}"
        arrivals[name] = [ciw.dists.Exponential(SHARES[channel] * share)]
        arrivals[name] += [None] * (num_nodes - 1)
        services[name] = [
            ciw.dists.Lognormal(log_mean(mean), SIGMA)
            for mean in (ACCEPTANCE[channel], *MEANS.values())
        ]
        priorities[name] = priority
    network = ciw.create_network(
        arrival_distributions=arrivals,
        service_distributions=services,
        routing=dict.fromkeys(arrivals, to_next),
        number_of_servers=list(SERVERS.values()),
        priority_classes=priorities,
    )
    cases = _run(network, num_cases, seed)
    times = [case.data_records[-1].exit_date - case.data_records[0].arrival_date for case in cases]
    return len(times), sum(times) / len(times)


def mm2(num_cases: int, seed: int) -> tuple[int, float]:
    """Cases that left, and their mean wait in services."""
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Exponential(1.6)],
        service_distributions=[ciw.dists.Exponential(1.0)],
        number_of_servers=[2],
    )
    waits = [case.data_records[0].waiting_time for case in _run(network, num_cases, seed)]
    return len(waits), sum(waits) / len(waits)


def _run(network: Any, num_cases: int, seed: int) -> Any:
    ciw.seed(seed)
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_customers(num_cases)
    return simulation.nodes[-1].all_individuals
