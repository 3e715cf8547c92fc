"""A staffing study while it is made: what staff cannot keep, checks, neighbours, other levels."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from sim import running
from sim.definition import Definition
from sim.errors import IncompleteError, Mark, Problem, ScenarioError
from sim.experiment import Experiment
from sim.loading import Loaded
from sim.metric_definitions import METRICS
from sim.numbers import Number
from sim.output_analysis import CONFIDENCE, estimate
from sim.studies.goals import Goal
from sim.studies.posts import Post, Staff, cost_of, more
from sim.studies.staff_findings import Kept, Level, Measured, Neighbour, Tried, risk_of
from sim.studies.staff_search import Answer, StaffSearch
from sim.studies.variants import with_servers

MOST_CHECKS: Final = 8
MOST_TIMES: Final = 4
"""Times the usual number of replications that a check is repeated with, to decide it."""
SAFETY: Final = 1.5
"""Times as many as it would take if the same came out, at half the risk."""
CHECKS: Final = "checks"
"""The folder of all checks."""
Progress: TypeAlias = Callable[[], AbstractContextManager[Callable[[int, int], None] | None]]
"""Entered for each check; gives what is called with the number of runs done and that of all."""


@dataclass(frozen=True, eq=False)
class Settled:
    """The check that settled which staff is the answer."""

    answer: Answer
    measured: Mapping[Staff, Measured]
    """The staff, and those with one server fewer."""
    experiment: Experiment
    check: int
    """From 1."""
    numbers: range
    """Of its replications."""


@dataclass
class StaffStudy:
    """One study while it is made."""

    loaded: Loaded
    search: StaffSearch
    goals: tuple[Goal, ...]
    folder: Path | None
    jobs: int
    progress: Progress
    say: Callable[[str], None]

    @property
    def posts(self) -> tuple[Post, ...]:
        """Whose servers are looked for."""
        return self.search.trials.posts

    def refuse_what_staff_cannot_keep(self, has_bounds: bool) -> None:
        """Raise ScenarioError if the most servers do not keep a promise."""
        search, trials = self.search, self.search.trials
        remedy = " (--bounds allows no more)" if has_bounds else ""
        fewest, most = min(search.abundant), max(search.abundant)
        servers = f"{fewest} to {most} servers" if fewest < most else f"{most} servers"
        if trials.overload(search.abundant):
            message = (
                f"no staff: with {servers} in each post{remedy} more work comes than it can do"
            )
            raise ScenarioError(
                [Problem(Mark("--bounds" if has_bounds else "--pool"), "", message)]
            )
        if search.abundance(self.goals).is_kept:
            return
        spare = search.spare(search.abundant, self.goals)
        problems = []
        for goal, values in zip(self.goals, spare.T, strict=True):
            found = estimate(values)
            margin = search.margin * values.std(ddof=1) / math.sqrt(search.num_replications)
            if found.mean - margin >= -1e-12:
                continue
            metric = METRICS[goal.metric]
            level = goal.level + (found.mean if goal.relation == ">=" else -found.mean)
            number = f"{Number(metric, 2, (level,)).text(level)} {metric.unit}"
            message = f"more servers do not keep it: {number} with {servers} in each post{remedy}"
            if math.isnan(found.mean):
                message = (
                    f"more servers do not keep it: no value with {servers} in each post{remedy}"
                )
            elif found.mean >= 0:
                message = (
                    f"not told from {goal.level_text} even with {servers} in each post{remedy}: "
                    f"{number}; more replications (-r) may tell"
                )
            problems.append(Problem(Mark(f"--promise {goal.text}"), "", message))
        raise ScenarioError(problems)

    def settled(self) -> Settled:
        """The staff that a check confirms, and that check."""
        rejected = self.search.rejected.setdefault(self.goals, set())
        count = self.search.num_replications
        answer = self.search.find(self.goals)
        numbers, repeated = range(count), set[Staff]()
        for check in range(1, MOST_CHECKS + 1):
            measured, experiment = self.check(answer.staff, check, numbers)
            chosen = measured[answer.staff]
            fewer = [s for s in measured if s != answer.staff and s not in rejected]
            better = [s for s in fewer if measured[s].held == "kept"]
            needed = count
            if chosen.held == "kept" and not better:
                return Settled(answer, measured, experiment, check, numbers)
            if chosen.held == "kept":
                self.say(f"check {check}: one server fewer will do, looking on")
                answer = replace(answer, staff=min(better, key=self.search.cost), not_tried=None)
            elif answer.staff not in repeated and _needed(chosen) <= MOST_TIMES * count:
                needed = max(count, math.ceil(_needed(chosen)))
                self.say(f"check {check}: undecided, once more with {needed} replications")
                repeated.add(answer.staff)
            else:
                self.say(f"check {check}: not confirmed, looking on")
                rejected.add(answer.staff)
                answer = self.search.find(self.goals)
            numbers = range(numbers.stop, numbers.stop + needed)
        raise IncompleteError(
            f"{MOST_CHECKS} checks have not settled which staff is the cheapest: promises are kept "
            "by a hair; more replications (-r) tell"
        )

    def check(
        self, staff: Staff, check: int, numbers: range
    ) -> tuple[dict[Staff, Measured], Experiment]:
        """A staff, and all with one server fewer in one post, on these replications."""
        trials = self.search.trials
        fewer = [
            more(staff, number, -1)
            for number, post in enumerate(self.posts)
            if staff[number] > post.least
        ]
        possible = [staff, *(other for other in fewer if not trials.overload(other))]
        names = dict(zip(possible, self._names(staff, possible), strict=True))
        scenarios = {name: self._loaded(other, name) for other, name in names.items()}
        folder = None
        if self.folder is not None:
            digest = Definition.of(scenarios, trials.work.seed).digest
            folder = self.folder / CHECKS / digest[:8]
        with self.progress() as progress:
            experiment = running.run(
                scenarios,
                numbers.stop,
                trials.work.seed,
                metrics=list(dict.fromkeys(f"{goal.metric}:{goal.subject}" for goal in self.goals)),
                folder=folder,
                engine=trials.work.engine,
                jobs=self.jobs,
                progress=progress,
                say=self.say,
            )
        if experiment.missing:
            raise IncompleteError(experiment.missing[0].text)
        values = {
            other: _values(experiment, name, numbers, self.goals) for other, name in names.items()
        }
        for other, found in values.items():
            trials.know(other, numbers, found)
        confidence = 1 - risk_of(check) / (len(possible) * len(self.goals))
        measured = {
            other: self._measured(other, self.goals, found, values[staff], confidence)
            for other, found in values.items()
        }
        none = np.empty((0, 0))
        for other in fewer:
            measured.setdefault(other, self._measured(other, self.goals, none, none, confidence))
        return measured, experiment

    def _names(self, staff: Staff, staffs: Sequence[Staff]) -> Iterator[str]:
        for other in staffs:
            fewer = [
                post.name for post, a, b in zip(self.posts, staff, other, strict=True) if a > b
            ]
            yield f"one fewer in {fewer[0]}" if fewer else "chosen"

    def _loaded(self, staff: Staff, name: str) -> Loaded:
        pairs = zip(self.posts, staff, strict=True)
        servers = {(post.pool, post.shift): number for post, number in pairs}
        return replace(with_servers(self.loaded, servers), name=name)

    def _measured(
        self,
        staff: Staff,
        goals: Sequence[Goal],
        values: np.ndarray,
        chosen: np.ndarray,
        confidence: float,
    ) -> Measured:
        """Made of values of shape (num_replications, num_goals); without any it was not run."""
        promises = []
        for goal, mine, theirs in zip(goals, values.T, chosen.T, strict=False):
            found = estimate(mine, 2 * confidence - 1)
            difference = estimate(mine - theirs)
            count = found.num_replications
            promises.append(
                Kept(
                    goal,
                    found.mean,
                    found.low,
                    found.high,
                    confidence,
                    difference,
                    len(mine),
                    count,
                )
            )
        return Measured(staff, cost_of(self.posts, staff), tuple(promises))

    def measured(
        self, staff: Staff, numbers: range, chosen: Staff, goals: Sequence[Goal] = ()
    ) -> Measured:
        """A staff on the replications of a check, by one engine; each bound by itself."""
        trials = self.search.trials
        trials.run([staff, chosen], numbers)
        mine, theirs = (trials.values(one, numbers) for one in (staff, chosen))
        return self._measured(staff, goals or self.goals, mine, theirs, CONFIDENCE)

    def neighbours(self, settled: Settled) -> Iterator[Neighbour]:
        """Post by post one server fewer, then one more."""
        chosen, numbers = settled.answer.staff, settled.numbers
        posts = range(len(self.posts))
        self.search.trials.run([more(chosen, post) for post in posts], numbers)
        for post in posts:
            if (fewer := more(chosen, post, -1)) in settled.measured:
                yield Neighbour(post, -1, settled.measured[fewer], True)
            yield Neighbour(post, 1, self.measured(more(chosen, post), numbers, chosen), False)

    def levels(self, settled: Settled) -> Iterator[Level]:
        """The cheapest staff for the first promise at other levels.

        As the search finds it; one that is broken on the check's replications is passed over.
        """
        chosen, numbers = settled.answer.staff, settled.numbers
        first, *others = self.goals
        guess = self.search.find(self.goals).floor
        for goal in first.levels():
            if goal == first:
                yield Level(goal, self.measured(chosen, numbers, chosen))
                continue
            goals = (goal, *others)
            rejected = self.search.rejected.setdefault(goals, set())
            if first.spare(np.array(goal.level)) > 0:
                # What was not confirmed does not keep more either.
                rejected |= self.search.rejected[self.goals]
            measured = None
            if self.search.abundance(goals).is_kept:
                measured = self._at_level(goals, guess, settled)
            yield Level(goal, measured)

    def _at_level(self, goals: tuple[Goal, ...], guess: Staff, settled: Settled) -> Measured | None:
        for _ in range(MOST_CHECKS):
            try:
                staff = self.search.find(goals, guess).staff
            except IncompleteError:
                return None
            found = self.measured(staff, settled.numbers, settled.answer.staff, goals)
            if found.held != "broken":
                return found
            self.search.rejected[goals].add(staff)
        return None

    def tried(self) -> Iterator[Tried]:
        """What the search looked at, the cheapest first."""
        search, found = self.search, []
        for staff in search.trials.tried():
            spare = search.spare(staff, self.goals)
            if len(spare):
                found.append((search.cost(staff), -spare.mean(axis=0)[0], staff, spare))
        best = math.inf
        for cost, missing, staff, spare in sorted(found, key=lambda one: one[:3]):
            is_kept = bool((spare.mean(axis=0)[1:] >= -1e-12).all())
            is_best = is_kept and bool(missing < best)
            best = missing if is_best else best
            signs = [1 if goal.relation == ">=" else -1 for goal in self.goals]
            means = spare.mean(axis=0) * signs + [goal.level for goal in self.goals]
            yield Tried(staff, cost, tuple(float(m) for m in means), len(spare), is_best)


def _values(experiment: Experiment, name: str, numbers: range, goals: Sequence[Goal]) -> np.ndarray:
    """(num_replications, num_goals): values of the promises' metrics in a scenario."""
    table = experiment.metrics
    mine = table[(table["scenario"] == name) & table["replication"].isin(numbers)]
    columns = []
    for goal in goals:
        of = mine[(mine["metric"] == goal.metric) & (mine["subject"] == goal.subject)]
        columns.append(of.sort_values("replication")["value"].to_numpy())
    return np.stack(columns, axis=1)


def _needed(measured: Measured) -> float:
    """Replications, about, that would tell a staff that seems to keep every promise from others."""
    needed = 0.0
    for kept in measured.promises:
        spare = float(kept.goal.spare(np.array(kept.mean)))
        width = kept.mean - kept.low
        if not spare > 0:
            return math.inf
        needed = max(needed, SAFETY * kept.replications * (width / spare) ** 2)
    return needed
