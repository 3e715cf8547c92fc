"""Experiments: scenarios x replications, and the tables that come out.

One seed gives the same tables every time, whatever the engine and the number of workers.
"""

from __future__ import annotations

import datetime as dt
import functools
import importlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic import BaseModel

from sim import comparison
from sim.documents import from_plain
from sim.durations import Duration, format_time_of_day
from sim.errors import Mark, Problem, ScenarioError
from sim.loading import Loaded, load_document
from sim.output_analysis import CONFIDENCE
from sim.planning import compile_plan
from sim.runs import EngineChoice, Runs, choose_engine
from sim.scenario import Scenario
from sim.tables import Tables
from sim.tree import MapNode

if TYPE_CHECKING:
    import pandas as pd


Source: TypeAlias = str | Path | Loaded | Scenario
Sources: TypeAlias = Sequence[Source] | Mapping[str, Source]
Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of runs done and their number in all."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """The tables of an experiment, one row a value, and the scenarios that were run."""

    scenarios: Mapping[str, Loaded]
    """By the name that they have in the tables."""
    seed: int
    replications: int
    metrics: pd.DataFrame
    """scenario, replication, metric, subject, unit, value (NaN: nothing to measure)."""
    # of the first DETAILED replications
    lead_times: pd.DataFrame
    """scenario, replication, time (a promise), unit, lead_time, share finished within it."""
    half_hours: pd.DataFrame
    """scenario, replication, pool, half_hour (`08:30`), utilisation (0 to 1),
    waiting_time_mean_min, queue_length_mean (cases) and quantiles over days."""
    visits: pd.DataFrame
    """scenario, replication, case_type, visits, share of finished cases."""
    timings: Mapping[str, float] = field(default_factory=dict)
    """Seconds of CPU time by stage."""
    engine: str = "simpy"
    remark: str = ""
    """What is to be said of the engine."""
    confidence: float = CONFIDENCE

    @functools.cached_property
    def estimates(self) -> pd.DataFrame:
        """scenario, metric, subject, unit, mean, low, high, replications (with a value)."""
        return comparison.estimates_table(self.metrics, self.confidence)

    def differences(self, reference: str | None = None) -> pd.DataFrame:
        """Paired differences from a scenario, the first one unless named."""
        reference = next(iter(self.scenarios)) if reference is None else reference
        return comparison.paired_differences(self.metrics, reference, self.confidence)

    def headline_differences(self) -> pd.DataFrame:
        """The differences from the first scenario that lead a report.

        Of case types, those that a promise of some scenario names.
        """
        names = comparison.promised_case_types(self.scenarios)
        return comparison.headlines(self.differences(), names)

    def published(self) -> pd.DataFrame:
        """Published figures beside simulated ones."""
        return comparison.published_table(self.scenarios, self.metrics, self.confidence)


def run(
    scenarios: Sources,
    replications: int = 10,
    seed: int = 1,
    *,
    engine: EngineChoice = "auto",
    jobs: int = 1,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
    check: bool = False,
) -> Experiment:
    """Run every scenario so many times, and measure.

    scenarios  files, or scenarios that were loaded; a map gives them names of its own.
    engine     auto: the compiled one where it saves time, after replication 0 of each scenario has
               been compared event by event with SimPy's.
    jobs       worker processes.
    say        told what else there is to know, a line at a time.
    check      assert on every replication the laws that hold in every run.

    Raises ScenarioError with all problems of all files, LawViolated if a law is broken,
    EnginesDiffer, and RunawayError for a run that does not come to its end.
    """
    if replications < 1 or seed < 0 or jobs < 1:
        raise ValueError("replications and jobs are 1 or more, a seed is 0 or more")
    loaded = load_all(scenarios)
    plans = {name: compile_plan(document.scenario) for name, document in loaded.items()}
    runs = choose_engine(Runs(plans, replications, seed, check), engine, say)
    tables = Tables()
    timings: Counter[str] = Counter()
    results = runs.results(jobs, meanwhile=_import_what_tables_need)
    for done, result in enumerate(results, start=1):
        if result is not None:
            name, number, replication = result
            tables.add(name, number, replication.measures)
            timings.update(replication.seconds)
        if progress is not None:
            progress(done, runs.num_tasks)
    frames = tables.frames()
    return Experiment(
        loaded,
        seed,
        replications,
        **frames,
        timings=timings,
        engine=runs.engine,
        remark=runs.remark,
    )


def _import_what_tables_need() -> None:
    """It takes longer than a year of a small hall."""
    importlib.import_module("pandas")


def load_all(scenarios: Sources, settings: Sequence[str] = ()) -> dict[str, Loaded]:
    """The scenarios by name: that of the file, of the map, or `scenario-1` for values.

    Files of one name in different folders are called after their folder too.

    settings  such as `pools.windows.shifts.day.servers=4`, for every file.

    Raises ScenarioError with all problems of all files, and if two scenarios have one name.
    """
    sources = list(scenarios.values() if isinstance(scenarios, Mapping) else scenarios)
    documents: list[Loaded] = []
    problems: list[Problem] = []
    for number, source in enumerate(sources, start=1):
        try:
            documents.append(_document(source, f"scenario-{number}", settings))
        except ScenarioError as error:
            problems += error.problems
    if not sources:
        problems.append(Problem(Mark("scenarios"), "", "at least one is wanted"))
    if problems:
        raise ScenarioError(list(dict.fromkeys(problems)))
    names = list(scenarios) if isinstance(scenarios, Mapping) else _names(documents)
    for number, name in enumerate(names):
        if name in names[:number]:
            twice = f"two scenarios are called '{name}'; give one of them another file name"
            problems.append(Problem(Mark(str(documents[number].path)), "", twice))
    if problems:
        raise ScenarioError(problems)
    return {n: replace(d, name=n) for n, d in zip(names, documents, strict=True)}


def _document(source: Source, name: str, settings: Sequence[str]) -> Loaded:
    if isinstance(source, Loaded):
        return source
    if isinstance(source, Scenario):
        tree = from_plain(as_data(source), Mark("data"), None)
        assert isinstance(tree, MapNode)
        return Loaded(name, Path(name), source, tree)
    return load_document(source, settings)


def _names(documents: Sequence[Loaded]) -> list[str]:
    """Names of the files, with that of the folder where the same name comes from another one."""
    paths = [document.path.resolve() for document in documents]
    names = []
    for document, path in zip(documents, paths, strict=True):
        twins = {p for d, p in zip(documents, paths, strict=True) if d.name == document.name}
        is_shared = len({p.parent.name for p in twins}) > 1
        names.append(f"{path.parent.name}-{document.name}" if is_shared else document.name)
    return names


# A scenario as data


def as_data(scenario: Scenario) -> dict[str, Any]:
    """The scenario in dicts, lists and scalars, as a file would say it."""
    data = _plain(scenario)
    assert isinstance(data, dict)
    return data


def _plain(value: object, key: str = "") -> object:
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        entries = [(about.alias or name, getattr(value, name)) for name, about in fields]
        return {name: _plain(below, name) for name, below in entries if below is not None}
    if isinstance(value, Mapping):
        return {str(name): _plain(below) for name, below in value.items()}
    if key == "sessions" and isinstance(value, tuple):
        return [f"{format_time_of_day(start)}-{format_time_of_day(end)}" for start, end in value]
    if key == "at" and isinstance(value, int):
        return format_time_of_day(value)
    if isinstance(value, tuple):
        return [_plain(item, key) for item in value]
    return str(value) if isinstance(value, Duration | dt.date) else value
