"""Looking for the point of a fit with the least misfit, among points that are tried once each.

A small grid is tried whole. On a large one scipy's differential evolution tries a part of the
budget, and steps downhill from its best point, which become shorter, end where no neighbour on the
grid is better. Where a parameter prefers one end of its range, what comes nearest to that end and
keeps all targets is best.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from sim.studies.fits import Parameter, Point
from sim.studies.points import Bench, Variant

BUDGET: Final = 100
"""Points that the search may try, unless told."""
SHARE_OF_EVOLUTION: Final = 0.6
"""Of the budget; the rest is for the way downhill."""
LITTLE: Final = 1e-3
"""What a misfit weighs between values that meet all targets, where a parameter prefers an end."""
STAY: Final = 1e-6
"""What the whole range of a parameter weighs in distance from the present value: this decides only
between equals."""


@dataclass
class Search:
    """Looks for the point with the least misfit of some targets."""

    bench: Bench
    targets: tuple[str, ...]
    budget: int
    tried: int = 0
    """Points that were new."""
    is_whole: bool = False
    """Whether the whole grid was tried."""

    def run(self) -> Point:
        """The best of all points that are known in the end."""
        grid = [range(parameter.num_values) for parameter in self.bench.fit.parameters]
        if math.prod(map(len, grid)) <= self.budget:
            self.is_whole = True
            self._losses([self._point(place) for place in itertools.product(*grid)], self.budget)
        else:
            self._evolve()
            self._go_down()
        return self._best()

    def how(self) -> str:
        """What was done, in a phrase."""
        if self.is_whole:
            return "every point of the grid"
        return "differential evolution, then downhill until no neighbour on the grid is better"

    def _point(self, place: Sequence[int]) -> Point:
        pairs = zip(self.bench.fit.parameters, place, strict=True)
        return tuple(parameter.at(int(index)) for parameter, index in pairs)

    def _place(self, point: Point) -> tuple[int, ...]:
        pairs = zip(self.bench.fit.parameters, point, strict=True)
        return tuple(parameter.index(value) for parameter, value in pairs)

    def loss(self, point: Point) -> float:
        """Of a point that is known."""
        trial, parameters = self.bench.known[Variant(point)], self.bench.fit.parameters
        results = [trial[name] for name in self.targets]
        found = sum(result.misfit for result in results)
        if any(parameter.prefer for parameter in parameters):
            is_kept = all(result.is_kept for result in results)
            dislike = sum(map(dislike_of, parameters, point))
            found = dislike + LITTLE * found if is_kept else len(parameters) + 1 + found
        pairs = zip(parameters, point, strict=True)
        return found + STAY * sum(abs(v - p.start) / (p.high - p.low) for p, v in pairs)

    def _losses(self, points: Sequence[Point], most: int) -> list[float]:
        """Of each point; infinite for those that would be more than `most` in all."""
        new = [p for p in dict.fromkeys(points) if Variant(p) not in self.bench.known]
        new = new[: max(0, most - self.tried)]
        self.bench.try_all(map(Variant, new))
        self.tried += len(new)
        return [self.loss(p) if Variant(p) in self.bench.known else math.inf for p in points]

    def _best(self) -> Point:
        points = [v.point for v in self.bench.known if (v.demand, v.luck) == (1.0, 0)]
        return min(points, key=self.loss)

    def _evolve(self) -> None:
        from scipy import optimize

        most = round(SHARE_OF_EVOLUTION * self.budget)

        def losses(places: np.ndarray) -> np.ndarray:
            points = [self._point(np.rint(place).astype(int)) for place in places.T]
            return np.array(self._losses(points, most))

        parameters = self.bench.fit.parameters
        evolution: Any = optimize.differential_evolution
        evolution(
            losses,
            [(0, parameter.num_values - 1) for parameter in parameters],
            integrality=np.ones(len(parameters), dtype=bool),
            x0=self._place(self.bench.fit.start),
            rng=self.bench.seed,
            popsize=6,
            updating="deferred",
            vectorized=True,
            polish=False,
            callback=lambda intermediate_result: self.tried >= most,
        )

    def _go_down(self) -> None:
        """From the best point by steps that become shorter, until none is better."""
        parameters = self.bench.fit.parameters
        strides = [max(1, parameter.num_values // 8) for parameter in parameters]
        while True:
            here = self._best()
            place = self._place(here)
            neighbours = [
                self._point([*place[:number], index, *place[number + 1 :]])
                for number, parameter in enumerate(parameters)
                for index in (place[number] - strides[number], place[number] + strides[number])
                if 0 <= index < parameter.num_values
            ]
            if min(self._losses(neighbours, self.budget)) < self.loss(here):
                continue
            if max(strides) == 1:
                return
            strides = [max(1, stride // 2) for stride in strides]


def dislike_of(parameter: Parameter, value: float) -> float:
    """How far a value is from the end that the parameter prefers, as a part of its range."""
    if parameter.prefer is None:
        return 0.0
    end = parameter.low if parameter.prefer == "low" else parameter.high
    return abs(value - end) / (parameter.high - parameter.low)
