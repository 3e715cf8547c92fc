"""Fitting free parameters of a scenario to published figures, on shared random numbers.

A trial of values is so many replications, the same ones for all values: what is minimised is a
function without noise, the sum of the targets' misfits (see `companions`). A small grid is tried
whole; of a large one scipy's differential evolution tries some points, and steps downhill from the
best one end where no neighbour is better. Where a parameter prefers one end of its range, what
comes nearest to that end and keeps all targets is best.

The fit is then tried where it was not made: with a tenth less and more demand, on other random
numbers, and along each parameter as far as the targets are kept. The present values stay if they
keep every target in as many of these replications as the fitted ones: what the targets cannot tell
apart is no reason to change a file.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sim.errors import Problem, ScenarioError
from sim.experiment import Missing
from sim.studies.fits import Fit, Parameter, Point
from sim.studies.trials import Bench, Progress, Trial, Variant
from sim.tasks import EngineChoice

if TYPE_CHECKING:
    import pandas as pd

BUDGET: Final = 100
"""Points that the search may try, unless told."""
SHARE_OF_EVOLUTION: Final = 0.6
"""Of the budget; the rest is for the way downhill."""
LITTLE: Final = 1e-3
"""What a misfit weighs between values that meet all targets, where a parameter prefers an end."""
STAY: Final = 1e-6
"""What the whole range of a parameter weighs in distance from the present value: this decides only
between equals."""
CIRCUMSTANCES: Final[Mapping[str, tuple[float, int]]] = {
    "as it is": (1.0, 0),
    "demand -10 %": (0.9, 0),
    "demand +10 %": (1.1, 0),
    "other random numbers": (1.0, 1),
}
"""Demand and luck, see `Variant`."""
SCANNED: Final = 9
"""Values of each parameter, evenly spaced between its bounds, at which the fit is looked at."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What a fit came to."""

    fit: Fit
    replications: int
    seed: int
    best: Point
    """Where the search ended."""
    stays: bool
    """Whether the present values are as good: they are then the outcome."""
    how: str
    """How it was searched."""
    trials: Mapping[Variant, Trial]
    """Everything that was tried."""
    ranges: tuple[tuple[float, float] | None, ...]
    """Of each parameter, in the order of the fit: how far it may move from `outcome` alone until a
    target is missed, in steps of its grid; None where one is missed already."""
    nearest: Mapping[str, Point]
    """Of each target that the fit misses: the point that comes nearest to it alone."""
    missing: tuple[Missing, ...]
    folder: Path | None

    @property
    def outcome(self) -> Point:
        """The values that the scenario is to have."""
        return self.fit.start if self.stays else self.best

    def trial(self, point: Point, circumstances: str = "as it is") -> Trial:
        """What came out of a point that was tried."""
        return self.trials[Variant(point, *CIRCUMSTANCES[circumstances])]

    def scan(self, number: int) -> list[tuple[float, Trial]]:
        """What comes out along a parameter, the others as in the outcome, in its order."""
        return sorted(
            (
                (variant.point[number], trial)
                for variant, trial in self.trials.items()
                if (variant.demand, variant.luck) == CIRCUMSTANCES["as it is"]
                and _is_along(variant.point, self.outcome, number)
            ),
            key=lambda entry: entry[0],
        )

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tidy tables: `parameters`, `targets` (of both points, in all circumstances), `points`."""
        import pandas as pd

        parameters = [
            {
                "parameter": parameter.name,
                "kind": parameter.kind.text,
                "values_in_files": len(parameter.places),
                **{
                    key: parameter.text(value)
                    for key, value in (
                        ("from", parameter.low),
                        ("to", parameter.high),
                        ("now", parameter.start),
                        ("fitted", self.best[number]),
                        ("outcome", self.outcome[number]),
                    )
                },
                "kept_from": parameter.text(kept[0]) if kept else "",
                "kept_to": parameter.text(kept[1]) if kept else "",
            }
            for number, (parameter, kept) in enumerate(
                zip(self.fit.parameters, self.ranges, strict=True)
            )
        ]
        targets = [
            {"values": values, "circumstances": name, **row}
            for values, point in {"now": self.fit.start, "fitted": self.best}.items()
            for name in CIRCUMSTANCES
            for row in _rows(self.trial(point, name))
        ]
        points = [
            {
                **{
                    parameter.name: parameter.text(value)
                    for parameter, value in zip(self.fit.parameters, variant.point, strict=True)
                },
                "demand": variant.demand,
                "seed": self.seed + variant.luck,
                **row,
            }
            for variant, trial in self.trials.items()
            for row in _rows(trial)
        ]
        found = {"parameters": parameters, "targets": targets, "points": points}
        return {name: pd.DataFrame(rows) for name, rows in found.items()}


def _rows(trial: Trial) -> Iterable[dict[str, object]]:
    for name, result in trial.items():
        yield {
            "target": name,
            "metric": result.target.metric,
            "subject": result.target.subject,
            "simulated": result.simulated,
            "low": result.low,
            "high": result.high,
            "replications": result.replications,
            "companion": result.companion,
            "misfit": result.misfit,
            "verdict": result.verdict,
            "kept": result.kept,
        }


def calibrate(
    fit: Fit,
    replications: int = 10,
    seed: int = 1,
    *,
    budget: int = BUDGET,
    folder: Path | None = None,
    engine: EngineChoice = "auto",
    jobs: int = 1,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Calibration:
    """Fit the free parameters to the targets, and look at the fit from all sides.

    budget  the most points that the search tries; some more are tried around its end.
    folder  keeps what is done: the same call goes on from there.

    The same scenario, fit, replications, seed and budget give the same outcome. Raises
    ScenarioError for a parameter on which no target depends, and what `sim.run` raises.
    """
    around = 4 * len(CIRCUMSTANCES) + (SCANNED + 4) * len(fit.parameters)
    grid = math.prod(parameter.num_values for parameter in fit.parameters)
    expected = min(grid, budget) + around
    bench = Bench(fit, replications, seed, folder, engine, jobs, progress, say, expected)
    _check_that_all_count(bench)
    search = _Search(bench, tuple(fit.targets), budget)
    best = search.run()
    how = search.how()
    at_best = bench.known[Variant(best)]
    nearest = {
        name: _Search(bench, (name,), budget).run()
        for name, result in at_best.items()
        if not result.is_kept
    }
    bench.try_all(Variant(p, *c) for p in (fit.start, best) for c in CIRCUMSTANCES.values())
    stays = _stays(bench, best)
    ranges = _ranges(bench, fit.start if stays else best)
    known, missing = dict(bench.known), tuple(bench.missing)
    return Calibration(
        fit, replications, seed, best, stays, how, known, ranges, nearest, missing, folder
    )


def _check_that_all_count(bench: Bench) -> None:
    """Raise ScenarioError for parameters at whose bounds all targets come out as they do now."""
    fit, problems = bench.fit, []
    ends = [
        [_moved(fit.start, number, end) for end in (parameter.low, parameter.high)]
        for number, parameter in enumerate(fit.parameters)
    ]
    bench.try_all(map(Variant, [fit.start, *itertools.chain(*ends)]))
    now = _companions(bench.known[Variant(fit.start)])
    for parameter, points in zip(fit.parameters, ends, strict=True):
        if all(_companions(bench.known[Variant(point)]) == now for point in points):
            message = (
                f"it changes none of the targets: from {parameter.text(parameter.low)} to "
                f"{parameter.text(parameter.high)} they are the same"
            )
            problems.append(Problem(parameter.mark, f"free.{parameter.name}", message))
    if problems:
        raise ScenarioError(problems)


def _companions(trial: Trial) -> list[str]:
    return [repr(result.companion) for result in trial.values()]  # text: nan is nan


@dataclass
class _Search:
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
            self.losses([self.point(place) for place in itertools.product(*grid)], self.budget)
        else:
            self.evolve()
            self.go_down()
        return self.best()

    def how(self) -> str:
        """What was done, in a phrase."""
        if self.is_whole:
            return "every point of the grid"
        return "differential evolution, then downhill until no neighbour on the grid is better"

    def point(self, place: Sequence[int]) -> Point:
        pairs = zip(self.bench.fit.parameters, place, strict=True)
        return tuple(parameter.at(int(index)) for parameter, index in pairs)

    def place(self, point: Point) -> tuple[int, ...]:
        pairs = zip(self.bench.fit.parameters, point, strict=True)
        return tuple(parameter.index(value) for parameter, value in pairs)

    def loss(self, point: Point) -> float:
        """Of a point that is known."""
        trial, parameters = self.bench.known[Variant(point)], self.bench.fit.parameters
        results = [trial[name] for name in self.targets]
        found = sum(result.misfit for result in results)
        if any(parameter.prefer for parameter in parameters):
            is_kept = all(result.is_kept for result in results)
            dislike = sum(map(_dislike, parameters, point))
            found = dislike + LITTLE * found if is_kept else len(parameters) + 1 + found
        pairs = zip(parameters, point, strict=True)
        return found + STAY * sum(abs(v - p.start) / (p.high - p.low) for p, v in pairs)

    def losses(self, points: Sequence[Point], most: int) -> list[float]:
        """Of each point; infinite for those that would be more than `most` in all."""
        new = [p for p in dict.fromkeys(points) if Variant(p) not in self.bench.known]
        new = new[: max(0, most - self.tried)]
        self.bench.try_all(map(Variant, new))
        self.tried += len(new)
        return [self.loss(p) if Variant(p) in self.bench.known else math.inf for p in points]

    def best(self) -> Point:
        points = [v.point for v in self.bench.known if (v.demand, v.luck) == (1.0, 0)]
        return min(points, key=self.loss)

    def evolve(self) -> None:
        from scipy import optimize

        most = round(SHARE_OF_EVOLUTION * self.budget)

        def losses(places: np.ndarray) -> np.ndarray:
            points = [self.point(np.rint(place).astype(int)) for place in places.T]
            return np.array(self.losses(points, most))

        parameters = self.bench.fit.parameters
        evolution: Any = optimize.differential_evolution
        evolution(
            losses,
            [(0, parameter.num_values - 1) for parameter in parameters],
            integrality=np.ones(len(parameters), dtype=bool),
            x0=self.place(self.bench.fit.start),
            rng=self.bench.seed,
            popsize=6,
            updating="deferred",
            vectorized=True,
            polish=False,
            callback=lambda intermediate_result: self.tried >= most,
        )

    def go_down(self) -> None:
        """From the best point by steps that become shorter, until none is better."""
        parameters = self.bench.fit.parameters
        strides = [max(1, parameter.num_values // 8) for parameter in parameters]
        while True:
            here = self.best()
            place = self.place(here)
            neighbours = [
                self.point([*place[:number], index, *place[number + 1 :]])
                for number, parameter in enumerate(parameters)
                for index in (place[number] - strides[number], place[number] + strides[number])
                if 0 <= index < parameter.num_values
            ]
            if min(self.losses(neighbours, self.budget)) < self.loss(here):
                continue
            if max(strides) == 1:
                return
            strides = [max(1, stride // 2) for stride in strides]


def _dislike(parameter: Parameter, value: float) -> float:
    """How far a value is from the end that the parameter prefers, as a part of its range."""
    if parameter.prefer is None:
        return 0.0
    end = parameter.low if parameter.prefer == "low" else parameter.high
    return abs(value - end) / (parameter.high - parameter.low)


def _stays(bench: Bench, best: Point) -> bool:
    """Whether the present values keep the targets as well as the best ones, and are preferred."""
    start, targets = bench.fit.start, bench.fit.targets
    if start == best:
        return True

    def kept(point: Point, name: str) -> int:
        return sum(bench.known[Variant(point, *c)][name].kept for c in CIRCUMSTANCES.values())

    def dislike(point: Point) -> float:
        return sum(map(_dislike, bench.fit.parameters, point))

    is_met = all(result.is_kept for result in bench.known[Variant(start)].values())
    is_as_good = all(kept(start, name) >= kept(best, name) for name in targets)
    return is_met and is_as_good and dislike(start) <= dislike(best)


def _ranges(bench: Bench, point: Point) -> tuple[tuple[float, float] | None, ...]:
    """How far each parameter may move alone until a target is missed."""
    parameters = bench.fit.parameters
    scans = [
        sorted({*np.linspace(0, p.num_values - 1, min(SCANNED, p.num_values)).round().astype(int)})
        for p in parameters
    ]
    along = [
        _moved(point, number, parameters[number].at(int(index)))
        for number, places in enumerate(scans)
        for index in places
    ]
    bench.try_all(map(Variant, along))

    def is_kept(number: int, value: float) -> bool:
        trial = bench.try_all([Variant(_moved(point, number, value))])[0]
        return all(result.is_kept for result in trial.values())

    return tuple(
        (
            _last_kept(number, parameter, value, places, is_kept, -1),
            _last_kept(number, parameter, value, places, is_kept, 1),
        )
        if is_kept(number, value)
        else None
        for number, (parameter, value, places) in enumerate(
            zip(parameters, point, scans, strict=True)
        )
    )


def _last_kept(
    number: int,
    parameter: Parameter,
    value: float,
    places: Sequence[int],
    is_kept: Callable[[int, float], bool],
    side: int,
) -> float:
    """The last value on a side of one that keeps the targets, before the first that is missed."""
    found = value
    beyond = [parameter.at(int(index)) for index in places[::side]]
    for end in (end for end in beyond if side * (end - value) > 0):
        if is_kept(number, end):
            found = end
            continue
        # Between the two is the edge: halve what is between them.
        inside, outside = parameter.index(found), parameter.index(end)
        while abs(outside - inside) > 1:
            middle = (inside + outside) // 2
            if is_kept(number, parameter.at(middle)):
                inside, found = middle, parameter.at(middle)
            else:
                outside = middle
        break
    return found


def _moved(point: Point, number: int, value: float) -> Point:
    return (*point[:number], value, *point[number + 1 :])


def _is_along(point: Point, other: Point, number: int) -> bool:
    return _moved(point, number, other[number]) == other
