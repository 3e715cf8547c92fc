"""The scenarios of an experiment, from files or values, by name; and a scenario as plain data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from pydantic import BaseModel

from sim.documents import from_plain
from sim.durations import Duration, format_time_of_day
from sim.errors import Mark, Problem, ScenarioError
from sim.loading import Loaded, load_document
from sim.scenario import Scenario
from sim.tree import MapNode

Source: TypeAlias = str | Path | Loaded | Scenario
Sources: TypeAlias = Source | Sequence[Source] | Mapping[str, Source]
"""One, several, or several with names of their own."""


def load_all(
    scenarios: Sources,
    settings: Sequence[str] = (),
    reforms: Sequence[str | Path] = (),
    until: str | dt.date | None = None,
    plain: int = 0,
) -> dict[str, Loaded]:
    """The scenarios by name: that of the file, of the map, or `scenario-1` for values.

    Files of one name in different folders are called after their folder too.

    settings  such as `pools.windows.shifts.day.servers=4`, for every file.
    reforms   change every file, and so do those in force at the date `until`: see `load_document`.
    plain     so many of the first stay without reforms.

    Raises ScenarioError with all problems of all files, and if two scenarios have one name.
    """
    if isinstance(scenarios, Source):
        scenarios = [scenarios]
    sources = list(scenarios.values() if isinstance(scenarios, Mapping) else scenarios)
    documents: list[Loaded] = []
    problems: list[Problem] = []
    for number, source in enumerate(sources, start=1):
        try:
            beside = (reforms, until) if number > plain else ((), None)
            documents.append(_document(source, f"scenario-{number}", settings, *beside))
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


def _document(
    source: Source,
    name: str,
    settings: Sequence[str],
    reforms: Sequence[str | Path],
    until: str | dt.date | None,
) -> Loaded:
    if isinstance(source, Loaded):
        return source
    if isinstance(source, Scenario):
        tree = from_plain(as_data(source), Mark("data"), None)
        assert isinstance(tree, MapNode)
        return Loaded(name, Path(name), source, tree)
    return load_document(source, settings, reforms, until)


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
