"""What is fitted to what: a fit file beside the scenarios, checked against one of them.

    free:
      comes:
        label: {en: ..., zh: ...}
        set: [trips.filing.comes, trips.*.comes]    # values that are one parameter
        from: 40 %
        to: 90 %
        step: 1 %
    targets: [registration_days]                    # published figures; all, unless some are named

A parameter stands on a grid: its lower bound, and steps from there. What stands at one place of a
file is one value, however many case types have it by `like`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from sim.documents import read_document
from sim.durations import parse_duration
from sim.errors import Mark, Problem, ScenarioError
from sim.fields import Model, Name, Names, OptionalLabel
from sim.from_tree import problems_of
from sim.loading import Loaded, root_of
from sim.name_checks import among
from sim.promises import Published
from sim.studies.moved import Kind, ValuePath, leaves, moved, read_value
from sim.timeline import MINUTE
from sim.tree import MapNode, Scalar, ScalarValue, dotted, locate, shown, suggest

FOLDER: Final = "fits"
"""Beside the scenarios; a fit file there is named after the scenario that it fits."""
_STEPS: Final[Mapping[str, float]] = {"whole number": 1, "share": 1, "time of day": 15 * MINUTE}
"""Unless told; of other numbers, a power of ten that makes a hundred steps or more."""
_MOST_NAMED: Final = 4
"""Places that a message lists."""

_Texts = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    Field(strict=False, min_length=1),
]
_Value = str | int | float


class FreeValue(Model):
    """A free parameter: which values of the scenario it is, and within which bounds."""

    label: OptionalLabel = None
    """What people read."""
    set: _Texts
    """Paths of the values, which are all the same; `*` stands for any name."""
    from_: Annotated[_Value, Field(alias="from")]
    """The lowest that it may be."""
    to: _Value
    """The highest."""
    step: _Value | None = None
    """How far its values are apart."""
    prefer: Literal["low", "high"] | None = None
    """Which of the values will do that meet all targets as well: the lowest or the highest."""


class FitFile(Model):
    """What is free, and what it is fitted to."""

    free: dict[Name, FreeValue]
    """Parameters, by name."""
    targets: Names = ()
    """Published figures of the scenario."""


@dataclass(frozen=True)
class Parameter:
    """A free parameter of a scenario."""

    name: str
    mark: Mark
    """Where the fit file describes it."""
    label: str
    """English, and Chinese in a line of its own if there is some."""
    paths: tuple[ValuePath, ...]
    """Of all values of the scenario that it is."""
    places: tuple[Mark, ...]
    """Where they stand in files."""
    kind: Kind
    start: float
    """What it is now."""
    low: float
    high: float
    step: float
    prefer: Literal["low", "high"] | None = None

    @property
    def num_values(self) -> int:
        """How many values it can have: the upper bound is one, on the grid or not."""
        return math.ceil((self.high - self.low) / self.step - 1e-9) + 1

    def at(self, index: int) -> float:
        """The value at a place on its grid."""
        return min(round(self.low + index * self.step, 9), self.high)

    def index(self, value: float) -> int:
        """The place on the grid that is nearest to a value."""
        return min(round((value - self.low) / self.step), self.num_values - 1)

    def text(self, value: float) -> str:
        """A value as the file says it."""
        return str(self.kind.written(value))


Point = tuple[float, ...]
"""A value of each parameter."""


@dataclass(frozen=True)
class Fit:
    """What of a scenario is fitted to what."""

    loaded: Loaded
    parameters: tuple[Parameter, ...]
    targets: Mapping[str, Published]

    @property
    def start(self) -> Point:
        """The scenario as it is."""
        return tuple(parameter.start for parameter in self.parameters)

    @property
    def definition(self) -> str:
        """All that can change what comes out, besides the scenario."""
        parameters = [(p.name, p.paths, p.low, p.high, p.step, p.prefer) for p in self.parameters]
        return repr((parameters, list(self.targets)))

    def scenario(self, point: Point) -> Loaded:
        """The scenario with these values; raises ScenarioError if it cannot be."""
        values: dict[ValuePath, ScalarValue] = {}
        for parameter, value in zip(self.parameters, point, strict=True):
            # As it is written, to the last digit, where it does not move.
            if value != parameter.start:
                values |= dict.fromkeys(parameter.paths, parameter.kind.written(value))
        return moved(self.loaded, values, self.text(point))

    def text(self, point: Point) -> str:
        """Such as `comes=66 % trays=17:00`."""
        pairs = zip(self.parameters, point, strict=True)
        return " ".join(f"{parameter.name}={parameter.text(value)}" for parameter, value in pairs)


def fit_file_of(scenario: Path) -> Path:
    """The fit file of a scenario, in the folder of fits at its root. Raises ScenarioError."""
    path = root_of(scenario) / FOLDER / f"{scenario.stem}.yaml"
    if not scenario.is_absolute():
        path = Path(path).relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    if not path.is_file():
        message = f"there is no {path}; name the file that says what is free"
        raise ScenarioError([Problem(Mark("--fit"), "", message)])
    return path


def read_fit(path: Path, loaded: Loaded) -> Fit:
    """The fit that a file describes, of this scenario. Raises ScenarioError with all problems."""
    tree = read_document(path, root_of(path))
    about, problems = problems_of(FitFile, tree)
    if about is None or problems:
        raise ScenarioError(problems)
    if not about.free:
        message = "no free parameter: nothing can be fitted"
        problems.append(Problem(locate(tree, ["free"]), "free", message))
    parameters = []
    for name, value in about.free.items():
        try:
            parameters.append(_parameter(name, value, tree, loaded))
        except ScenarioError as error:
            problems += error.problems
    problems += _shared(parameters, tree)
    known = loaded.scenario.whole.published
    for index, name in enumerate(about.targets):
        if name not in known:
            message = (
                f"no published figure '{shown(name)}'.{among('published figure', name, known)}"
            )
            problems.append(Problem(locate(tree, ["targets", index]), f"targets[{index}]", message))
    if not known:
        message = f"{loaded.name} has no 'published' figure that could be a target"
        problems.append(Problem(tree.mark, "targets", message))
    if problems:
        raise ScenarioError(problems)
    targets = {name: known[name] for name in about.targets or known}
    fit = Fit(loaded, tuple(parameters), targets)
    if problems := list(_impossible(fit, tree)):
        raise ScenarioError(problems)
    return fit


def _parameter(name: str, about: FreeValue, tree: MapNode, loaded: Loaded) -> Parameter:
    """Raises ScenarioError with what is wrong with one of them."""

    def problem(key: str, message: str) -> ScenarioError:
        return ScenarioError(
            [Problem(locate(tree, ["free", name, key]), f"free.{name}.{key}", message)]
        )

    found: dict[ValuePath, Scalar] = {}
    every = dict(leaves(loaded.tree))
    for pattern in about.set:
        matching = {path: leaf for path, leaf in every.items() if _matches(path, pattern)}
        if not matching:
            hint = suggest(pattern, map(dotted, every))
            message = f"nothing in {loaded.name} is at '{shown(pattern)}'.{hint}"
            raise problem("set", message.removesuffix("."))
        found |= matching
    for path, leaf in found.items():
        if loaded.path.is_file() and not leaf.mark.line:
            raise problem("set", f"{dotted(path)} is set on the command line; it cannot be free")
    # What stands at one place of a file is one value.
    places = {leaf.mark for leaf in found.values() if leaf.mark.line}
    found |= {path: leaf for path, leaf in every.items() if leaf.mark in places}
    read = {path: read_value(leaf.value) for path, leaf in found.items()}
    for path, value in read.items():
        if value is None:
            said = shown(str(found[path].value))
            raise problem("set", f"{dotted(path)} is '{said}': no number, share or time")
    if len(set(read.values())) > 1:
        some = [f"{dotted(path)} is {found[path].value}" for path in read][:_MOST_NAMED]
        raise problem("set", f"they differ, so they are not one parameter: {', '.join(some)} ...")
    values = [value for value in read.values() if value is not None]
    kind, start = values[0]
    bounds = {}
    for key, bound in (("from", about.from_), ("to", about.to)):
        end = _bound(bound, kind)
        if end is None:
            wanted = f"a {kind.text} is wanted, since it is {kind.written(start)} now"
            raise problem(key, f"{wanted}; found '{shown(str(bound))}'")
        bounds[key], kind = end
    low, high = bounds["from"], bounds["to"]
    if low >= high:
        raise problem("from", f"{about.from_} is not below {about.to}, the upper bound")
    if not low <= start <= high:
        now = kind.written(start)
        raise problem(
            "from" if start < low else "to", f"the bounds leave out {now}, what it is now"
        )
    step = _STEPS.get(kind.word, 10.0 ** math.floor(math.log10((high - low) / 100)))
    if about.step is not None:
        step = _step(about.step, kind)
        if not step > 0:
            raise problem("step", f"'{about.step}' is no step of a {kind.text}")
    return Parameter(
        name=name,
        mark=locate(tree, ["free", name]),
        label=about.label.text() if about.label else name,
        paths=tuple(found),
        places=tuple(sorted(places)),
        kind=kind,
        start=start,
        low=low,
        high=high,
        step=step,
        prefer=about.prefer,
    )


def _matches(path: ValuePath, pattern: str) -> bool:
    parts = pattern.split(".")
    pairs = zip(path, parts, strict=False)
    return len(path) == len(parts) and all(fnmatchcase(str(part), text) for part, text in pairs)


def _bound(value: _Value, kind: Kind) -> tuple[float, Kind] | None:
    """A bound, and the kind of a value that has it; None for what is no bound of this kind."""
    found = read_value(value)
    if found is not None and {found[0].word, kind.word} == {"whole number", "number"}:
        # 15 may be a rate that happens to be whole: a bound such as 12.5 says that it is none.
        return found[1], Kind("number")
    return (found[1], kind) if found is not None and found[0] == kind else None


def _step(value: _Value, kind: Kind) -> float:
    """A step; 0 for what is none."""
    if kind.word == "time of day":
        try:
            return parse_duration(value).seconds
        except ValueError:
            return 0
    found = read_value(value)
    if found is None:
        return 0
    is_like = found[0] == kind or (kind.word == "number" and found[0].word == "whole number")
    return found[1] if is_like else 0


def _shared(parameters: Sequence[Parameter], tree: MapNode) -> Iterator[Problem]:
    owners: dict[ValuePath, str] = {}
    for parameter in parameters:
        for path in parameter.paths:
            other = owners.setdefault(path, parameter.name)
            if other != parameter.name:
                mark = locate(tree, ["free", parameter.name, "set"])
                message = f"{dotted(path)} belongs to '{other}' already"
                yield Problem(mark, f"free.{parameter.name}.set", message)
                break


def _impossible(fit: Fit, tree: MapNode) -> Iterator[Problem]:
    """Bounds at which the scenario is none, and parameters that leave it as it is."""
    for number, parameter in enumerate(fit.parameters):
        ends = []
        for key, end in (("from", parameter.low), ("to", parameter.high)):
            point = (*fit.start[:number], end, *fit.start[number + 1 :])
            try:
                ends.append(fit.scenario(point).scenario)
            except ScenarioError as error:
                mark = locate(tree, ["free", parameter.name, key])
                message = f"{parameter.text(end)} cannot be: {error.problems[0].message}"
                yield Problem(mark, f"free.{parameter.name}.{key}", message)
        if len(ends) == 2 and ends[0] == ends[1]:
            mark = locate(tree, ["free", parameter.name, "set"])
            message = "it changes nothing: the scenario is the same at both bounds"
            yield Problem(mark, f"free.{parameter.name}.set", message)
