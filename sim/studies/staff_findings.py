"""What a staffing study finds: the staff, how promises are kept, its neighbours, the frontier."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from sim.experiment import Experiment
from sim.loading import Loaded
from sim.output_analysis import CONFIDENCE, Estimate
from sim.studies.goals import Goal
from sim.studies.posts import Post, Staff
from sim.studies.staff_search import Answer

Held: TypeAlias = Literal["kept", "broken", "undecided"]


def risk_of(check: int) -> float:
    """Of a wrong statement in a check, from 1; of all checks together 1 - CONFIDENCE at most."""
    return float((1 - CONFIDENCE) / 2**check)


@dataclass(frozen=True)
class Kept:
    """How a promise is kept under one staff."""

    goal: Goal
    mean: float
    low: float
    """One-sided bound: with the confidence the true mean is not below it."""
    high: float
    confidence: float
    difference: Estimate
    """From the staff that was chosen, replication by replication; a usual interval."""
    replications: int
    with_value: int
    """In how many of them there was a value."""

    @property
    def held(self) -> Held:
        """Whether the promise is kept; a replication without a value leaves that open."""
        if self.with_value < self.replications:
            return "undecided"
        worst, best = self.goal.spare(np.array([self.low, self.high]))
        if self.goal.relation == "<=":
            worst, best = best, worst
        # Shares round in the last place.
        return "kept" if worst >= -1e-12 else "broken" if best < -1e-12 else "undecided"


@dataclass(frozen=True)
class Measured:
    """A staff, and how every promise is kept under it."""

    staff: Staff
    cost: float
    promises: tuple[Kept, ...]
    """None where the load of a pool is 1 or more: not run."""

    @property
    def held(self) -> Held:
        """`kept` if all are, `broken` if one is or if the load of a pool is 1 or more."""
        found = {kept.held for kept in self.promises}
        if "broken" in found or not found:
            return "broken"
        return "undecided" if "undecided" in found else "kept"


@dataclass(frozen=True)
class Neighbour:
    """The chosen staff with one server more or fewer in one post."""

    post: int
    change: int
    measured: Measured
    is_checked: bool
    """Whether its verdict is part of the joint statement, and both engines were compared on it."""


@dataclass(frozen=True)
class Level:
    """The cheapest staff for the leading promise at another level, all else as it is."""

    goal: Goal
    measured: Measured | None
    """None if the most servers do not keep it."""


@dataclass(frozen=True)
class Tried:
    """A staff of the search, on the search's own replications."""

    staff: Staff
    cost: float
    means: tuple[float, ...]
    """Of each promise's metric."""
    replications: int
    is_best: bool
    """Whether none that is as cheap keeps the first promise better, the others being kept."""


@dataclass(frozen=True, eq=False)
class Staffing:
    """What was found."""

    loaded: Loaded
    """The scenario, with the demand that was asked for."""
    demand: str
    seed: int
    replications: int
    goals: tuple[Goal, ...]
    posts: tuple[Post, ...]
    answer: Answer
    check: int
    """Number of the check that settled it, from 1."""
    chosen: Measured
    today: Measured
    neighbours: tuple[Neighbour, ...]
    levels: tuple[Level, ...]
    tried: tuple[Tried, ...]
    engine: str
    experiment: Experiment
    """The check: the chosen staff and those with one server fewer."""
    folder: Path | None

    @property
    def guess(self) -> Staff:
        """By Erlang's formula."""
        return tuple(post.guess for post in self.posts)

    @property
    def joint_confidence(self) -> float:
        """With which the statements of the check hold together."""
        return 1 - risk_of(self.check)
