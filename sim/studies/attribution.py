"""How much of a change each group of reforms bought: Shapley values of simulated scenarios.

Every way to switch the groups is a scenario; replication n of each shares its luck. A metric makes
a game of them in every replication, so that intervals are Student's t over replications. Shares of
all groups add up to the whole change, whatever the groups do to each other.

A group "does nothing alone" if coming first it changes less than a tenth of the most that it
changes anywhere, or changes it the other way, or cannot be told from nothing then; it "changes
nothing to speak of" if that most is less than a fiftieth of the whole change, or cannot be told
from nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

from sim.chosen_metrics import ALL, Key, choose
from sim.comparison import unit_of
from sim.errors import Mark, Problem, ScenarioError
from sim.experiment import Missing
from sim.loading import Loaded
from sim.metric_definitions import LEAD_TIME_UNITS, METRICS
from sim.name_checks import subjects_of
from sim.output_analysis import CONFIDENCE, Estimate
from sim.studies.reform_groups import Group, Switches
from sim.studies.shapley import Game, all_coalitions, coalitions_of, sampled_orders
from sim.timeline import IntArray
from sim.tree import shown

if TYPE_CHECKING:
    import pandas as pd

MOST_EXACT: Final = 10
"""Groups of which every combination is run; of more, orders are sampled."""
ORDERS: Final = 20
"""So many, unless told."""
NOTHING_ALONE, NEGLIGIBLE, MOSTLY = 0.1, 0.02, 0.5
"""Shares of the most that a group changes, of the whole change, and of that most again: what it
takes to have mostly that."""
TIMES: Final = dict(
    zip(LEAD_TIME_UNITS, ("working_days", "elapsed_hours", "working_hours"), strict=True)
)
"""The metrics of a promise, by its clock."""

Sort: TypeAlias = Literal["date", "size"]


@dataclass(frozen=True, eq=False)
class Effect:
    """What a group changes in a metric."""

    group: Group
    share: Estimate
    """Its Shapley value: of the whole change."""
    alone: Estimate
    """When it comes first."""
    last: Estimate
    """When it comes after all others."""
    strongest: Partner | None
    """With whom it does most more, or less, than by itself; None of one group, or of sampled
    orders."""


@dataclass(frozen=True)
class Partner:
    """What two groups do together beyond what each does by itself."""

    group: Group
    other: Group
    more: Estimate
    """The interaction index; of the sign of the whole change where they help each other."""


@dataclass(frozen=True)
class Need:
    """What a group that does nothing alone does with others."""

    effect: Effect
    partners: tuple[tuple[Group, ...], ...]
    """Groups with all of which it does most of what it can; the same number each time."""
    with_them: Estimate
    """What it changes, coming after the first of these."""


@dataclass(frozen=True, eq=False)
class Change:
    """One metric from the first scenario to the last, and who changed it."""

    metric: str
    subject: str
    groups: tuple[Group, ...]
    game: Game

    @property
    def unit(self) -> str:
        """As in all tables."""
        return unit_of(self.metric)

    @property
    def before(self) -> Estimate:
        """With no group."""
        return self.game.estimate(self.game.worth(0))

    @property
    def after(self) -> Estimate:
        """With all groups."""
        return self.game.estimate(self.game.worth(self.game.everybody))

    @cached_property
    def whole(self) -> Estimate:
        """After minus before."""
        return self.game.estimate(self.game.whole)

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """Of each group, in the order of the groups."""
        game = self.game
        return tuple(
            Effect(group, game.share(i), game.alone(i), game.last(i), self._strongest(group))
            for i, group in enumerate(self.groups)
        )

    @cached_property
    def partners(self) -> tuple[Partner, ...]:
        """Every two groups, the strongest interaction first; none of sampled orders."""
        if self.game.orders is not None:
            return ()
        pairs = itertools.combinations(enumerate(self.groups), 2)
        found = [Partner(a, b, self.game.interaction(i, j)) for (i, a), (j, b) in pairs]
        return tuple(sorted(found, key=lambda partner: -abs(partner.more.mean)))

    def _strongest(self, group: Group) -> Partner | None:
        mine = (one for one in self.partners if group in (one.group, one.other))
        return next(mine, None)

    def sorted_effects(self, sort: Sort) -> list[Effect]:
        """By the date of the groups, or by the size of their shares."""
        if sort == "date":
            return list(self.effects)
        return sorted(self.effects, key=lambda effect: -abs(effect.share.mean))

    # What is said in words; of all combinations

    @cached_property
    def idle(self) -> tuple[Effect, ...]:
        """Groups that change nothing to speak of, whatever the others do."""
        if self.game.orders is not None:
            return ()
        return tuple(effect for i, effect in enumerate(self.effects) if self._is_idle(i))

    def _is_idle(self, player: int) -> bool:
        _, most = self.game.most_added(player)
        return abs(most.mean) < NEGLIGIBLE * abs(self.whole.mean) or not told(most)

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """Groups that do nothing alone, and what they need."""
        if self.game.orders is not None:
            return ()
        found = []
        for i, effect in enumerate(self.effects):
            _, most = self.game.most_added(i)
            alone = effect.alone.mean * math.copysign(1, most.mean)
            is_nothing = alone < NOTHING_ALONE * abs(most.mean) or not told(effect.alone)
            coalitions = self.game.smallest_with(i, MOSTLY)
            # The smallest is that of nobody where others add little to what it does alone.
            if effect in self.idle or not is_nothing or coalitions == [0]:
                continue
            partners = tuple(self._chosen(coalition) for coalition in coalitions)
            with_them = self.game.estimate(self.game.added(i, coalitions[0]))
            found.append(Need(effect, partners, with_them))
        return tuple(found)

    def _chosen(self, coalition: int) -> tuple[Group, ...]:
        return tuple(group for i, group in enumerate(self.groups) if coalition >> i & 1)


def told(found: Estimate) -> bool:
    """Whether a change can be told from nothing; of one replication, whether there is any."""
    if not found.is_estimable:
        return found.mean != 0
    return not found.low <= 0 <= found.high


@dataclass(frozen=True, eq=False)
class Attribution:
    """The answer: of several metrics, who changed them."""

    switches: Switches
    coalitions: IntArray
    """Combinations of groups that were run; bit i is group i."""
    changes: tuple[Change, ...]
    seed: int
    replications: int
    num_orders: int | None = None
    """How many orders were sampled; None where every combination was run."""
    remarks: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    folder: Path | None = None
    confidence: float = CONFIDENCE

    def shares(self) -> pd.DataFrame:
        """metric, subject, unit, group, since, reforms, and share, alone and last: each its mean,
        and its interval as `_low` and `_high`; replications (with a value).
        """
        import pandas as pd

        rows = []
        for change, effect in self._effects():
            row = {**_key(change), "group": effect.group.name, "since": _date(effect.group)}
            row["reforms"] = " ".join(reform.name for reform in effect.group.reforms)
            for name in ("share", "alone", "last"):
                row |= _ends(name, getattr(effect, name))
            rows.append(row | {"replications": effect.share.num_replications})
        return pd.DataFrame(rows)

    def _effects(self) -> Iterator[tuple[Change, Effect]]:
        for change in self.changes:
            for effect in change.effects:
                yield change, effect

    def whole(self) -> pd.DataFrame:
        """metric, subject, unit, before, after, change with its interval, replications."""
        import pandas as pd

        rows = [
            {**_key(change), "before": change.before.mean, "after": change.after.mean}
            | _ends("change", change.whole)
            | {"replications": change.whole.num_replications}
            for change in self.changes
        ]
        return pd.DataFrame(rows)

    def interactions(self) -> pd.DataFrame:
        """metric, subject, unit, group, other, interaction with its interval."""
        import pandas as pd

        rows = [
            {**_key(change), "group": one.group.name, "other": one.other.name}
            | _ends("interaction", one.more)
            for change in self.changes
            for one in change.partners
        ]
        columns = ["metric", "subject", "unit", "group", "other", *_ends("interaction", NONE)]
        return pd.DataFrame(rows, columns=columns)

    def combinations(self) -> pd.DataFrame:
        """metric, subject, unit, scenario, groups (that are on), mean with its interval."""
        import pandas as pd

        rows = []
        for change in self.changes:
            for coalition in map(int, change.game.coalitions):
                groups = " ".join(group.name for group in self.switches.chosen(coalition))
                row = {**_key(change), "scenario": self.switches.name(coalition), "groups": groups}
                found = change.game.estimate(change.game.worth(coalition))
                rows.append(row | _ends("mean", found))
        return pd.DataFrame(rows)


NONE: Final = Estimate(math.nan, math.nan, 0)


def _key(change: Change) -> dict[str, object]:
    return {"metric": change.metric, "subject": change.subject, "unit": change.unit}


def _ends(name: str, found: Estimate) -> dict[str, object]:
    return {name: found.mean, f"{name}_low": found.low, f"{name}_high": found.high}


def _date(group: Group) -> str:
    dates = [r.about.effective for r in group.reforms if r.about.effective is not None]
    return str(min(dates)) if dates else ""


# Which combinations, which metrics


def combinations_of(
    num_groups: int, orders: int | None, seed: int
) -> tuple[IntArray, IntArray | None]:
    """The combinations that are run, and the orders that are sampled, if any are.

    orders  so many of them in the place of all combinations, which are the rule up to `MOST_EXACT`
            groups.

    Raises ValueError for a number of orders that is odd or below 4.
    """
    if orders is None and num_groups <= MOST_EXACT:
        return all_coalitions(num_groups), None
    sampled = sampled_orders(num_groups, ORDERS if orders is None else orders, seed)
    return coalitions_of(sampled), sampled


def default_metrics(switches: Switches) -> list[str]:
    """Mean times of every promise, and mean visits of the case types that are promised something.

    On the clocks of the promises; of a hall without any, the mean waiting times of pools. Means,
    since a median in whole days jumps: of most combinations it would tell no change at all, and of
    some a whole day.
    """
    before, after = switches.before.scenario.whole, switches.after.scenario.whole
    found = [
        f"{TIMES[promise.within.clock]}_mean:{name}"
        for name, promise in before.promises.items()
        if name in after.promises
    ]
    visited = {
        name: case_type
        for promise in before.promises.values()
        for name in promise.case_types
        if (case_type := before.case_types[name]) and name in after.case_types
    }
    found += [
        f"visits_mean:{name}"
        for name, case_type in visited.items()
        if any(activity.trip for activity in case_type.activities.values())
    ]
    pools = [f"waiting_time_mean:{name}" for name in before.pools if name in after.pools]
    return found or pools


def check_metrics(named: Sequence[str], scenarios: Mapping[str, Loaded]) -> None:
    """Raise ScenarioError for metrics that there are none of, or not of in every scenario."""
    choose(named, scenarios)
    problems = []
    for text in named:
        metric, colon, subject = text.partition(":")
        if not colon:
            continue
        for name, loaded in scenarios.items():
            by_kind = subjects_of(loaded.scenario)
            if not any(subject in by_kind[kind] for kind in METRICS[metric].subjects):
                message = f"there is no '{shown(subject)}' in {name}; a change needs it in all"
                problems.append(Problem(Mark(f"--metric {shown(text)}"), "", message))
                break
    if problems:
        raise ScenarioError(problems)


def changes_of(
    metrics: pd.DataFrame,
    switches: Switches,
    named: Sequence[str],
    coalitions: IntArray,
    orders: IntArray | None,
) -> tuple[tuple[Change, ...], list[str]]:
    """Who changed each metric, and what is to be said of those that cannot be attributed.

    metrics  scenario, replication, metric, subject, value: of all combinations.
    named    such as `visits_mean:company`; a metric without a subject is of all that are in every
             combination.

    Only replications count that have a value in every combination.
    """
    names = [switches.name(int(coalition)) for coalition in coalitions]
    changes, remarks = [], []
    for (metric, subject), part in _wanted(metrics, named):
        wide = part.pivot(index="replication", columns="scenario", values="value")  # noqa: PD010
        if not set(names) <= set(wide.columns):
            continue
        values = wide[names].to_numpy(dtype=np.float64)
        complete = values[np.isfinite(values).all(axis=1)]
        if not len(complete):
            remarks.append(f"{metric} of {subject}: in no replication a value in every combination")
            continue
        game = Game(len(switches.groups), coalitions, complete, orders)
        changes.append(Change(metric, subject, switches.groups, game))
    return tuple(changes), remarks


def _wanted(metrics: pd.DataFrame, named: Sequence[str]) -> Iterator[tuple[Key, pd.DataFrame]]:
    """Rows by metric and subject: in the order in which they were named."""
    meant = {text.partition(":")[0] for text in named}
    if ALL not in meant:
        metrics = metrics[metrics["metric"].isin(meant)]
    parts = dict(iter(metrics.groupby(["metric", "subject"], sort=False, observed=True)))
    seen = set()
    for text in named:
        for key, part in parts.items():
            metric, subject = str(key[0]), str(key[1])
            if text in (ALL, metric, f"{metric}:{subject}") and (metric, subject) not in seen:
                seen.add((metric, subject))
                yield (metric, subject), part
