"""Values of a scenario that a study moves: what kind each is, and the scenario with others.

A value is moved as a number (a share in per cent, a time of day in seconds, a duration in the unit
in which it is written) and written back in the form in which it stood. Leaves to others which
values are moved, and how far.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from sim.durations import Duration, format_time_of_day, parse_duration, parse_time_of_day
from sim.from_tree import scenario_of
from sim.loading import Loaded
from sim.tree import ListNode, MapNode, Node, Scalar, ScalarValue

ValuePath: TypeAlias = tuple[str | int, ...]
"""Of a value in a tree."""


@dataclass(frozen=True)
class Kind:
    """What a value is, and how it is written."""

    word: Literal["share", "time of day", "duration", "whole number", "number"]
    unit: str = ""
    """Of a duration."""

    @property
    def text(self) -> str:
        """As messages say it."""
        return f"{self.word} in {self.unit}" if self.unit else self.word

    def written(self, number: float) -> ScalarValue:
        """The value that stands in a file for this number."""
        match self.word:
            case "share":
                return f"{number:.10g} %"
            case "time of day":
                return format_time_of_day(round(number))
            case "duration":
                return str(Duration(float(f"{number:.10g}"), self.unit))
            case "whole number":
                return round(number)
            case _:
                return float(f"{number:.10g}")


def read_value(value: ScalarValue) -> tuple[Kind, float] | None:
    """Kind and number of a value as it is written; None for what is no number."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return Kind("whole number" if isinstance(value, int) else "number"), float(value)
    if found := re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value):
        return Kind("share"), float(found[1])
    try:
        if ":" in value:
            return Kind("time of day"), float(parse_time_of_day(value))
        duration = parse_duration(value)
    except ValueError:
        return None
    return Kind("duration", duration.unit), duration.amount


def leaves(node: Node) -> Iterator[tuple[ValuePath, Scalar]]:
    """Every value of a tree with its path."""
    match node:
        case Scalar():
            yield (), node
        case ListNode():
            for index, item in enumerate(node.items):
                yield from (((index, *path), leaf) for path, leaf in leaves(item))
        case MapNode():
            for key, child in node.entries.items():
                yield from (((key, *path), leaf) for path, leaf in leaves(child))


def moved(loaded: Loaded, values: Mapping[ValuePath, ScalarValue], name: str) -> Loaded:
    """The scenario with other values at these paths, under another name.

    Raises ScenarioError with what is wrong with these values.
    """
    tree = _with(loaded.tree, values)
    assert isinstance(tree, MapNode)
    return replace(loaded, name=name, scenario=scenario_of(tree, on_top=True), tree=tree)


def _with(node: Node, values: Mapping[ValuePath, ScalarValue]) -> Node:
    if not values:
        return node
    below: dict[str | int, dict[ValuePath, ScalarValue]] = {}
    for path, value in values.items():
        if not path:
            assert isinstance(node, Scalar)
            return replace(node, value=value)
        below.setdefault(path[0], {})[path[1:]] = value
    match node:
        case MapNode():
            entries = {key: _with(child, below.get(key, {})) for key, child in node.entries.items()}
            return replace(node, entries=entries)
        case ListNode():
            items = (_with(item, below.get(index, {})) for index, item in enumerate(node.items))
            return replace(node, items=tuple(items))
    raise KeyError(f"no value at {next(iter(values))}")


def with_rates(loaded: Loaded, factor: float, name: str) -> Loaded:
    """The scenario with so many times as many cases, of those who come at random.

    All rates are multiplied: those by date too, and those that dated reforms set.
    """
    values: dict[ValuePath, ScalarValue] = {}
    for path, leaf in leaves(loaded.tree):
        if _is_rate(path) and isinstance(leaf.value, int | float):
            values[path] = leaf.value * factor
    return moved(loaded, values, name)


def _is_rate(path: ValuePath) -> bool:
    match path:
        case (*_, "arrivals", "per_working_day" | "per_hour"):
            return True
        case (*_, "arrivals", "per_working_day", _):  # by date
            return True
    return False
