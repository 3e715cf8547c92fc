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
from typing import TYPE_CHECKING, Final

import numpy as np

from sim.errors import Problem, ScenarioError
from sim.experiment import Missing
from sim.studies.fits import Fit, Parameter, Point
from sim.studies.points import Bench, Progress, Trial, Variant
from sim.studies.search import BUDGET, Search, dislike_of
from sim.tasks import EngineChoice

if TYPE_CHECKING:
    import pandas as pd

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
    is_whole: bool
    """Whether every point of the grid was tried: what no point meets cannot be met then."""
    trials: Mapping[Variant, Trial]
    """Everything that was tried."""
    ranges: tuple[tuple[float, float] | None, ...]
    """Of each parameter, in the order of the fit: how far it may move from `outcome` alone until a
    target is missed, in steps of its grid; None where one is missed already."""
    nearest: Mapping[str, Point]
    """Of each target that the fit misses: the point that comes nearest to it alone."""
    missing: tuple[Missing, ...]
    remarks: tuple[str, ...]
    """What is to be said of how points were run, a line each."""
    folder: Path | None

    @property
    def outcome(self) -> Point:
        """The values that the scenario is to have."""
        return self.fit.start if self.stays else self.best

    @property
    def missed(self) -> list[str]:
        """The targets that the outcome misses."""
        results = self.trial(self.outcome).items()
        return [name for name, result in results if not result.is_kept]

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

    budget  the most points that a search tries; some more are tried at the bounds, around its end
            and along each parameter. A target that is missed has a search of its own.
    folder  keeps what is done: the same call goes on from there.

    The same scenario, fit, replications, seed and budget give the same outcome. Raises
    ScenarioError for a parameter on which no target depends, what `sim.run` raises, and TypeError
    for what is no fit.
    """
    if not isinstance(fit, Fit):
        raise TypeError(
            f"a Fit is wanted, not {type(fit).__name__}: sim.studies.fits makes one, by "
            "read_fit(Path('fit.yaml'), sim.load_document('hall.yaml'))"
        )
    grid = math.prod(parameter.num_values for parameter in fit.parameters)
    around = 2 * len(CIRCUMSTANCES)
    if grid > budget:  # otherwise everything along the parameters is there
        around += (SCANNED + 4) * len(fit.parameters)
    expected = min(grid, budget) + around
    bench = Bench(fit, replications, seed, folder, engine, jobs, progress, say, expected)
    _check_that_all_count(bench)
    search = Search(bench, tuple(fit.targets), budget)
    best = search.run()
    at_best = bench.known[Variant(best)]
    nearest = {
        name: Search(bench, (name,), budget).run()
        for name, result in at_best.items()
        if not result.is_kept
    }
    bench.try_all(Variant(p, *c) for p in (fit.start, best) for c in CIRCUMSTANCES.values())
    stays = _stays(bench, best)
    ranges = _ranges(bench, fit.start if stays else best)
    return Calibration(
        fit=fit,
        replications=replications,
        seed=seed,
        best=best,
        stays=stays,
        how=search.how(),
        is_whole=search.is_whole,
        trials=dict(bench.known),
        ranges=ranges,
        nearest=nearest,
        missing=tuple(bench.missing),
        remarks=tuple(bench.remarks),
        folder=folder,
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


def _stays(bench: Bench, best: Point) -> bool:
    """Whether the present values keep the targets as well as the best ones, and are preferred."""
    start, targets = bench.fit.start, bench.fit.targets
    if start == best:
        return True

    def kept(point: Point, name: str) -> int:
        return sum(bench.known[Variant(point, *c)][name].kept for c in CIRCUMSTANCES.values())

    def dislike(point: Point) -> float:
        return sum(map(dislike_of, bench.fit.parameters, point))

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
