"""Which metrics lead a report: a handful, or those that were asked for.

What leads stands in the report and in the figure of differences, and its intervals hold together.
The tables have every metric all the same.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from sim.errors import Mark, Problem, ScenarioError
from sim.loading import Loaded
from sim.metric_definitions import HALL, METRICS
from sim.name_checks import among, subjects_of
from sim.tree import shown

if TYPE_CHECKING:
    import pandas as pd

Key: TypeAlias = tuple[str, str]
"""A metric and what it is of."""
ALL: Final = "all"
SENT_AWAY: Final = ("turned_away", "reneged")
"""Metrics that lead where there are some, unless others are named."""


@dataclass(frozen=True)
class Choice:
    """Metrics that were named; if none were, the usual handful.

    That is: the headline metrics (`Metric.is_headline`), of case types those that a promise names;
    and how often people were sent away or left, where it happened.
    """

    named: tuple[str, ...] = ()
    """Each is `METRIC`, of everything that it can be of, or `METRIC:SUBJECT`, or `all`."""

    def leads(self, metric: str, subject: str, promised: Collection[str]) -> bool:
        """Whether this leads, whatever its values are.

        promised  case types that a promise names.
        """
        if self.named:
            return not {ALL, metric, f"{metric}:{subject}"}.isdisjoint(self.named)
        is_cohort = "case_type" in METRICS[metric].subjects
        return METRICS[metric].is_headline and (not is_cohort or subject in (HALL, *promised))

    def keys(self, metrics: pd.DataFrame, scenarios: Mapping[str, Loaded]) -> list[Key]:
        """What leads among the rows of a table, in its order.

        metrics  metric, subject, value, and whatever else; a key may have several rows.
        """
        promised = promised_case_types(scenarios)
        some = metrics[metrics["metric"].isin(SENT_AWAY) & (metrics["value"] > 0)]
        sent_away = set() if self.named else set(zip(some["metric"], some["subject"], strict=True))
        table = metrics[["metric", "subject"]].drop_duplicates()
        keys = [(str(m), str(s)) for m, s in zip(table["metric"], table["subject"], strict=True)]
        return [key for key in keys if key in sent_away or self.leads(*key, promised)]


def promised_case_types(scenarios: Mapping[str, Loaded]) -> set[str]:
    """The case types that a promise of any of these scenarios names."""
    promises = [p for loaded in scenarios.values() for p in loaded.scenario.whole.promises.values()]
    return {name for promise in promises for name in promise.case_types}


def choose(named: Sequence[str], scenarios: Mapping[str, Loaded]) -> Choice:
    """The choice of these metrics, each `METRIC`, `METRIC:SUBJECT` or `all`.

    Raises ScenarioError with every metric that there is none of, or that is of no such subject in
    any of the scenarios.
    """
    problems = [
        Problem(Mark(f"--metric {shown(text)}"), "", message)
        for text in named
        for message in _unknown(text, scenarios)
    ]
    if problems:
        raise ScenarioError(problems)
    return Choice(tuple(named))


def _unknown(text: str, scenarios: Mapping[str, Loaded]) -> Iterator[str]:
    metric, colon, subject = text.partition(":")
    if text == ALL:
        return
    if metric not in METRICS:
        yield f"no metric '{shown(metric)}'.{among('metric', metric, [*METRICS, ALL])}"
    elif colon:
        subjects = [subjects_of(loaded.scenario) for loaded in scenarios.values()]
        kinds = METRICS[metric].subjects
        known = dict.fromkeys(name for kind in kinds for by in subjects for name in by[kind])
        if subject not in known:
            kind = " or ".join(kind.replace("_", " ") for kind in kinds)
            yield f"no {kind} '{shown(subject)}'.{among(kind, subject, known)}"
