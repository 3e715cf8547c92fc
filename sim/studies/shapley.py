"""Shapley values: a change shared out among those who bring it about, whatever the order.

Players come one after another; each is credited with what changes when it comes, and its Shapley
value is the mean of that over all orders. It is exact from the values of all coalitions, and
estimated from those that some orders pass through. Shares of all players add up to the whole
change in either case.

A coalition is a bit mask: bit i is player i. Values have a row for each replication; what is
computed of them has too, since all of it is linear in the values.

Source: Shapley, A Value for n-Person Games (1953); Grabisch and Roubens, An Axiomatic Approach to
the Concept of Interaction (1999); Mitchell et al., Sampling Permutations for Shapley Value
Estimation (2022), on orders taken together with their reverse.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sim.output_analysis import CONFIDENCE, Estimate, estimate, half_width
from sim.timeline import IntArray

FloatArray = npt.NDArray[np.float64]


def all_coalitions(num_players: int) -> IntArray:
    """Every coalition, that of nobody first and that of all last."""
    return np.arange(1 << num_players, dtype=np.int64)


def sampled_orders(num_players: int, count: int, seed: int) -> IntArray:
    """Orders of all players, each followed by its reverse; shape (count, num_players).

    What two players do together is credited to the later one: of an order and its reverse each of
    them is that once.

    count  even, 4 or more: an interval takes two pairs.

    Raises ValueError for another count.
    """
    if count < 4 or count % 2:
        raise ValueError(f"orders come in pairs, 4 or more in all, not {count}")
    generator = np.random.default_rng([seed, num_players])
    orders = generator.permuted(np.tile(np.arange(num_players), (count // 2, 1)), axis=1)
    return np.stack((orders, orders[:, ::-1]), axis=1).reshape(count, num_players)


def passed_through(orders: IntArray) -> IntArray:
    """The coalitions that orders pass through, as players come; shape (orders, players + 1)."""
    grown = np.cumsum(np.int64(1) << orders, axis=1)
    return np.concatenate((np.zeros((len(orders), 1), dtype=np.int64), grown), axis=1)


def coalitions_of(orders: IntArray) -> IntArray:
    """Those that orders pass through, each player alone, and all without each."""
    num_players = orders.shape[1]
    alone = np.int64(1) << np.arange(num_players)
    found = (passed_through(orders), alone, (1 << num_players) - 1 - alone)
    return np.unique(np.concatenate([part.ravel() for part in found]))


@dataclass(frozen=True, eq=False)
class Game:
    """What coalitions are worth, replication by replication."""

    num_players: int
    coalitions: IntArray
    """Ascending: all of them, or `coalitions_of` the orders."""
    values: FloatArray
    """float64, shape (num_replications, num_coalitions); finite."""
    orders: IntArray | None = None
    """Those that are sampled; None where all coalitions are there."""
    confidence: float = CONFIDENCE

    @property
    def everybody(self) -> int:
        """The coalition of all players."""
        return (1 << self.num_players) - 1

    def worth(self, coalition: int) -> FloatArray:
        """What a coalition is worth in each replication."""
        worth: FloatArray = self.values[:, int(np.searchsorted(self.coalitions, coalition))]
        return worth

    def added(self, player: int, coalition: int) -> FloatArray:
        """What changes when a player comes to a coalition without it."""
        return self.worth(coalition | 1 << player) - self.worth(coalition)

    def estimate(self, values: FloatArray) -> Estimate:
        """Mean over replications, with Student's interval."""
        return estimate(values, self.confidence)

    @property
    def whole(self) -> FloatArray:
        """What all players change together."""
        return self.worth(self.everybody) - self.worth(0)

    # Shapley values

    @cached_property
    def shapley(self) -> FloatArray:
        """Of each player; shape (num_replications, num_players)."""
        if self.orders is not None:
            means: FloatArray = self._by_order.mean(axis=1)
            return means
        n, masks = self.num_players, self.coalitions
        # Shares of the orders in which just these have come before.
        weights = np.array(
            [math.factorial(s) * math.factorial(n - 1 - s) / math.factorial(n) for s in range(n)]
        )
        shares = []
        for player in range(n):
            without = masks[masks >> player & 1 == 0]
            added = self.values[:, without | 1 << player] - self.values[:, without]
            shares.append(added @ weights[np.bitwise_count(without)])
        return np.stack(shares, axis=1)

    @cached_property
    def _by_order(self) -> FloatArray:
        """What each player adds in each order; shape (replications, orders, players)."""
        assert self.orders is not None
        places = np.searchsorted(self.coalitions, passed_through(self.orders))
        added = np.diff(self.values[:, places], axis=2)
        by_player = np.empty_like(added)
        rows = np.arange(len(self.orders))[:, None]
        by_player[:, rows, self.orders] = added
        return by_player

    def share(self, player: int) -> Estimate:
        """A player's Shapley value.

        Of sampled orders the interval is that of replications and that of orders put together (the
        root of the sum of their squares): both are sampled.
        """
        found = self.estimate(self.shapley[:, player])
        if self.orders is None or not found.is_estimable:
            return found
        # An order and its reverse are one sample.
        of_orders = self._by_order[:, :, player].mean(axis=0).reshape(-1, 2).mean(axis=1)
        width = math.hypot(found.half_width, half_width(of_orders, self.confidence))
        return Estimate(found.mean, width, found.num_replications, self.confidence)

    def alone(self, player: int) -> Estimate:
        """What a player changes that comes first."""
        return self.estimate(self.added(player, 0))

    def last(self, player: int) -> Estimate:
        """What a player changes that comes last."""
        return self.estimate(self.added(player, self.everybody & ~(1 << player)))

    # What players do to each other

    def interaction(self, player: int, other: int) -> Estimate:
        """How much more two players do together than each by itself: the interaction index.

        The mean over orders in which the two come one right after the other. All coalitions must
        be there.
        """
        n, masks = self.num_players, self.coalitions
        one, two = 1 << player, 1 << other
        without = masks[masks & (one | two) == 0]
        more = self.values[:, without | one | two] + self.values[:, without]
        more = more - self.values[:, without | one] - self.values[:, without | two]
        weights = np.array(
            [
                math.factorial(s) * math.factorial(n - 2 - s) / math.factorial(n - 1)
                for s in range(n - 1)
            ]
        )
        return self.estimate(more @ weights[np.bitwise_count(without)])

    @cached_property
    def _mean_added(self) -> list[tuple[IntArray, FloatArray]]:
        """For each player the coalitions without it, and what it adds to each on average."""
        assert self.orders is None
        means, masks = self.values.mean(axis=0), self.coalitions
        found = []
        for player in range(self.num_players):
            without = masks[masks >> player & 1 == 0]
            found.append((without, means[without | 1 << player] - means[without]))
        return found

    def most_added(self, player: int) -> tuple[int, Estimate]:
        """The coalition to which a player adds most, up or down, and how much that is.

        All coalitions must be there.
        """
        without, added = self._mean_added[player]
        coalition = int(without[np.abs(added).argmax()])
        return coalition, self.estimate(self.added(player, coalition))

    def smallest_with(self, player: int, share: float) -> list[int]:
        """The smallest coalitions to which a player adds this share of the most that it can.

        Those of one size, the one to which it adds most first. All coalitions must be there.
        """
        without, added = self._mean_added[player]
        most = added[np.abs(added).argmax()]
        enough = added * np.sign(most) >= share * abs(most)
        sizes = np.bitwise_count(without)
        chosen = enough & (sizes == sizes[enough].min())
        order = np.argsort(-np.abs(added[chosen]), kind="stable")
        return [int(coalition) for coalition in without[chosen][order]]
