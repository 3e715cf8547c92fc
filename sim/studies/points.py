"""Points of a fit that are tried: run on the same random numbers, kept, set beside the targets.

Points that are tried together are one experiment, in a folder of its own below the study's, so that
the same study goes on where it was, and answers at once when all is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from sim import running
from sim.comparison import KEPT
from sim.definition import Definition
from sim.experiment import Missing
from sim.loading import Loaded
from sim.promises import Published
from sim.studies.answers import answer, key_of
from sim.studies.companions import companions, misfit
from sim.studies.fits import Fit, Point
from sim.studies.moved import with_rates
from sim.studies.study_files import ANSWERS, RUNS
from sim.tasks import EngineChoice

AT_ONCE: Final = 20
"""The most points of one experiment: more would take much memory."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of runs done and their number in all, as far as it is known."""


@dataclass(frozen=True)
class Variant:
    """A point, and under which circumstances it is tried."""

    point: Point
    demand: float = 1.0
    """How many times as many cases come."""
    luck: int = 0
    """0 for the seed of the study, 1 for the next one."""


@dataclass(frozen=True)
class Result:
    """One target in one trial, over all replications."""

    target: Published
    simulated: float
    """Mean over replications."""
    low: float
    high: float
    replications: int
    """With a value."""
    companion: float
    misfit: float
    verdict: str
    kept: int
    """Replications that keep the target, each by itself."""

    @property
    def is_kept(self) -> bool:
        """Whether the mean is met or within tolerance."""
        return self.verdict in KEPT


Trial: TypeAlias = dict[str, Result]
"""What came out of a variant, by target."""


@dataclass
class Bench:
    """Tries variants, each once."""

    fit: Fit
    replications: int
    seed: int
    folder: Path | None = None
    engine: EngineChoice = "auto"
    jobs: int = 1
    progress: Progress | None = None
    say: Callable[[str], None] = lambda line: None
    expected: int = 0
    """Variants that are tried in all, about."""
    known: dict[Variant, Trial] = field(default_factory=dict)
    missing: list[Missing] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What is to be said of how they were run, a line each."""

    def try_all(self, variants: Iterable[Variant]) -> list[Trial]:
        """What comes out of each, in their order; raises as `sim.run` does."""
        variants = list(variants)
        for luck in sorted({variant.luck for variant in variants}):
            new = [v for v in dict.fromkeys(variants) if v.luck == luck and v not in self.known]
            for first in range(0, len(new), AT_ONCE):
                self._run(new[first : first + AT_ONCE], self.seed + luck)
        return [self.known[variant] for variant in variants]

    def _run(self, variants: Sequence[Variant], seed: int) -> None:
        names = [self._name(variant) for variant in variants]
        folder = None if self.folder is None else self.folder / ANSWERS
        key = key_of(self.fit.loaded, seed, self.fit.definition, self.replications, names)
        told = self._progress(len(variants))
        found = answer(folder, key, lambda: self._results(variants, seed, told))
        self.missing += [Missing(**one) for one in found["missing"]]
        self.remarks += [remark for remark in found["remarks"] if remark not in self.remarks]
        for variant, results in zip(variants, found["results"], strict=True):
            self.known[variant] = {
                name: Result(self.fit.targets[name], **result) for name, result in results.items()
            }

    def _results(
        self, variants: Sequence[Variant], seed: int, told: Progress | None
    ) -> dict[str, Any]:
        """What came of each variant, what is missing and what is to be said, as JSON has it."""
        scenarios = {self._name(variant): self._scenario(variant) for variant in variants}
        folder = None
        if self.folder is not None:
            folder = self.folder / RUNS / Definition.of(scenarios, seed).digest[:16]
        experiment = running.run(
            scenarios,
            self.replications,
            seed,
            folder=folder,
            tables=False,
            engine=self.engine,
            jobs=self.jobs,
            progress=told,
            say=self.say,
        )
        targets = self.fit.targets
        smooth = {key: companions(experiment, t.metric, t.subject) for key, t in targets.items()}
        by_scenario: dict[str, dict[str, Any]] = {name: {} for name in scenarios}
        for row in experiment.published().to_dict("records"):
            name, key = str(row["scenario"]), str(row["id"])
            if key in targets:
                companion = smooth[key].get(name, math.nan)
                by_scenario[name][key] = {
                    **{column: float(row[column]) for column in ("simulated", "low", "high")},
                    "replications": int(row["replications"]),
                    "companion": companion,
                    "misfit": misfit(companion, targets[key]),
                    "verdict": str(row["verdict"]),
                    "kept": int(row["kept"]),
                }
        return {
            "results": list(by_scenario.values()),
            "missing": [asdict(one) for one in experiment.missing],
            "remarks": experiment.remarks,
        }

    def _progress(self, count: int) -> Progress | None:
        """Of this experiment as a part of the whole study."""
        told, before = self.progress, len(self.known)
        if told is None:
            return None
        whole = max(self.expected, before + count)

        def progress(done: int, total: int) -> None:
            tried = before + count * done / total
            told(max(1, round(tried * self.replications)), whole * self.replications)

        return progress

    def _name(self, variant: Variant) -> str:
        demand = f" demand x{variant.demand:g}" if variant.demand != 1 else ""
        return self.fit.text(variant.point) + demand

    def _scenario(self, variant: Variant) -> Loaded:
        scenario = self.fit.scenario(variant.point)
        if variant.demand == 1:
            return scenario
        return with_rates(scenario, variant.demand, self._name(variant))
