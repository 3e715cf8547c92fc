"""What staff is to keep: a metric's mean on the right side of a level."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from sim.chosen_metrics import choose
from sim.errors import Mark, Problem, ScenarioError
from sim.loading import Loaded
from sim.metric_definitions import METRICS
from sim.name_checks import among
from sim.tree import shown

USUAL: Final = 0.95
"""Share of cases within a promise of the scenario, unless told."""
SHARES_ABOVE, SHARES_BELOW = (0.8, 0.9, 0.95, 0.99), (0.2, 0.1, 0.05, 0.01)
"""Levels between which people choose."""
TIMES: Final = (0.5, 0.75, 1.0, 1.5, 2.0)
"""The same for what is no share, times the level that is asked for."""
_FORM: Final = re.compile(r"\s*([^<>=]*?)\s*([<>=]+)\s*([^<>=%]+?)\s*(%?)\s*")
HOW: Final = (
    "write 'METRIC:SUBJECT >= LEVEL' (or <=), such as 'waiting_time_mean:windows <= 10', "
    "or 'NAME=95%' for a promise of the scenario"
)


@dataclass(frozen=True)
class Goal:
    """A promise that is kept if the mean of a metric over replications is on the right side."""

    metric: str
    subject: str
    relation: Literal[">=", "<="]
    level: float
    """In the metric's unit; of a share 0 to 1."""

    @property
    def text(self) -> str:
        """As it is written: `on_time_share:opening >= 95 %`."""
        return f"{self.metric}:{self.subject} {self.relation} {self.level_text}"

    @property
    def level_text(self) -> str:
        """The level with its unit."""
        metric = METRICS[self.metric]
        if metric.is_share:
            return f"{100 * self.level:.10g} %"
        return f"{self.level:.10g} {metric.unit}"

    def spare(self, values: np.ndarray) -> np.ndarray:
        """How far values are on the right side; below 0 on the wrong one."""
        return values - self.level if self.relation == ">=" else self.level - values

    def levels(self) -> list[Goal]:
        """The promise at the levels between which people choose, the easiest first."""
        is_above = self.relation == ">="
        if METRICS[self.metric].is_share:
            usual: Sequence[float] = SHARES_ABOVE if is_above else SHARES_BELOW
        else:
            usual = [factor * self.level for factor in TIMES]
        levels = sorted({*usual, self.level}, reverse=not is_above)
        return [replace(self, level=level) for level in levels]


def goals_of(texts: Sequence[str], loaded: Loaded) -> tuple[Goal, ...]:
    """The promises that are asked for; without any, all of the scenario at 95 % of its cases.

    Raises ScenarioError with every problem: a metric or subject that is not there, a level that is
    none, the same promise twice, a scenario that promises nothing.
    """
    if not texts:
        promises = loaded.scenario.whole.promises
        if not promises:
            message = "the scenario promises nothing; name what is to be kept, such as "
            message += "--promise 'waiting_over_15_min:windows <= 10%'"
            raise ScenarioError([Problem(Mark("--promise"), "", message)])
        return tuple(Goal("on_time_share", name, ">=", USUAL) for name in promises)
    goals: list[Goal] = []
    problems: list[Problem] = []
    for text in texts:
        try:
            goal = _goal(text, loaded)
            if any(_of(goal) == _of(other) for other in goals):
                raise _wrong("given twice; one level is wanted")
            goals.append(goal)
        except ScenarioError as error:
            mark = Mark(f"--promise {shown(text)}")
            problems += [Problem(mark, "", problem.message) for problem in error.problems]
    if problems:
        raise ScenarioError(problems)
    return tuple(goals)


def _of(goal: Goal) -> tuple[str, str, str]:
    return goal.metric, goal.subject, goal.relation


def _wrong(message: str) -> ScenarioError:
    return ScenarioError([Problem(Mark(""), "", message)])


def _goal(text: str, loaded: Loaded) -> Goal:
    match = _FORM.fullmatch(text)
    if match is None:
        raise _wrong(f"no level; {HOW}")
    name, relation, number, percent = match.groups()
    if not name:
        raise _wrong(f"no metric; {HOW}")
    if relation not in (">=", "<=", "="):
        raise _wrong(f"'{relation}' is neither '>=' nor '<='; {HOW}")
    if relation == "=":
        promises = loaded.scenario.whole.promises
        if ":" in name:
            raise _wrong("'=' goes with a promise of the scenario; write '>=' or '<=' of a metric")
        if name not in promises:
            raise _wrong(f"no promise '{shown(name)}'.{among('promise', name, promises)}")
        level = _level(number, percent, "on_time_share", f"{name}=")
        return Goal("on_time_share", name, ">=", level)
    metric, _, subject = name.partition(":")
    if metric in METRICS and not subject:
        kinds = " or a ".join(kind.replace("_", " ") for kind in METRICS[metric].subjects)
        raise _wrong(f"of what? Write '{metric}:SUBJECT', a {kinds}")
    choose([name], {loaded.name: loaded})
    level = _level(number, percent, metric, f"{name} {relation} ")
    return Goal(metric, subject, ">=" if relation == ">=" else "<=", level)


def _level(number: str, percent: str, metric_name: str, before: str) -> float:
    """The level of a metric; `before` is what stands before it."""
    metric = METRICS[metric_name]
    example = f"'{before}95%'" if metric.is_share else f"'{before}10', in {metric.unit}"
    is_none = f"'{shown(number + percent)}' is no level: a number is wanted, such as {example}"
    try:
        level = float(number)
    except ValueError:
        raise _wrong(is_none) from None
    if not metric.is_share:
        if percent:
            raise _wrong("this metric is no share; write its level without '%'")
        if not np.isfinite(level):
            raise _wrong(is_none)
        return level
    level = level / 100 if percent else level
    if not 0 <= level <= 1:
        raise _wrong(f"'{shown(number + percent)}' is no share; write 95% or 0.95")
    return level
