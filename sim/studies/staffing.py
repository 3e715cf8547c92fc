"""Staffing: the cheapest numbers of servers that keep what is promised, and how sure that is.

A search (`staff_search`) proposes a staff. A check then runs it, and every staff with one server
fewer in one post, on replications that had no part in choosing it. In check number t the statements
"this staff keeps every promise" and "with one fewer a promise is broken" hold together with a
confidence of 1 - 0.05 / 2^t: each of the (staffs x promises) one-sided t intervals has its share
(Bonferroni). A staff that is not confirmed is not proposed again; one with a server fewer that
keeps everything takes the place of the one that was checked. All checks together miss in one of 20
studies at most, as far as means over replications are normally distributed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np

from sim import running, workers
from sim.definition import Definition
from sim.errors import IncompleteError, Mark, Problem, ResultsError, ScenarioError
from sim.experiment import Experiment
from sim.loading import Loaded
from sim.metric_definitions import METRICS
from sim.numbers import Number
from sim.output_analysis import CONFIDENCE, estimate
from sim.planning import compile_plan
from sim.results import file_names, open_folder
from sim.sources import Source, load_all
from sim.store import STORE, Store
from sim.studies.goals import Goal, goals_of
from sim.studies.posts import Post, Staff, cost_of, more, posts_of
from sim.studies.staff_findings import (
    Kept,
    Level,
    Measured,
    Neighbour,
    Staffing,
    Tried,
    risk_of,
)
from sim.studies.staff_search import Answer, StaffSearch
from sim.studies.trials import StaffPlans, Trials
from sim.studies.variants import with_demand, with_servers
from sim.tasks import EngineChoice, Task, Work, choose_engine
from sim.texts import one_line

LIKELY: Final = 200
"""Replications that a search takes, about: by these the engine is chosen."""
MOST_CHECKS: Final = 8
SEARCH, CHECKS = "search", "checks"
"""Folders of the replications that a staff is looked for with, and of those that check it."""
Progress: TypeAlias = Callable[[], AbstractContextManager[Callable[[int, int], None] | None]]
"""Entered for each check; gives what is called with the number of runs done and that of all."""


def find_staff(
    scenario: Source,
    promises: Sequence[str] = (),
    replications: int = 10,
    seed: int = 1,
    *,
    demand: float = 1.0,
    demand_of: Mapping[str, float] | None = None,
    pools: Sequence[str] = (),
    costs: Mapping[str, float] | None = None,
    bounds: Mapping[str, tuple[int, int]] | None = None,
    folder: str | Path | None = None,
    engine: EngineChoice = "auto",
    jobs: int = 1,
    progress: Progress = contextlib.nullcontext,
    say: Callable[[str], None] = lambda line: None,
) -> Staffing:
    """The cheapest staff that keeps the promises at a demand.

    promises      such as `waiting_over_15_min:windows <= 10%`, or `opening=95%` for a promise of
                  the scenario; the first one leads. Without any: every promise at 95 %.
    replications  of each check, 2 or more.
    demand        how many times as many cases come; `demand_of` says it of single case types.
    pools         whose servers are looked for; all unless told.
    costs         of one server, by `POOL` or `POOL.SHIFT`; 1 unless told.
    bounds        fewest and most servers, likewise.
    folder        keeps every replication, and is gone on from; without it nothing is written.

    Raises ScenarioError for what makes no sense, and if the most servers do not keep a promise;
    IncompleteError if no check confirms a staff; and what `sim.run` raises.
    """
    if replications < 2:
        message = "2 or more are wanted: one has no interval"
        raise ScenarioError([Problem(Mark(f"--replications {replications}"), "", message)])
    [loaded] = load_all([scenario]).values()
    loaded = with_demand(loaded, demand, demand_of)
    plan = compile_plan(loaded.scenario)
    goals = goals_of(promises, loaded)
    posts = posts_of(plan, goals, pools, costs, bounds)
    path = None if folder is None else Path(folder)
    definition = Definition.of({loaded.name: loaded}, seed)
    with contextlib.ExitStack() as stack:
        if path is None:
            store = Store.in_memory(definition)
        else:
            _check_usable(path)
            opened = open_folder(path / SEARCH, definition, {loaded.name: loaded})
            store = stack.enter_context(opened)
        likely = [Task("replicate", loaded.name, number) for number in range(LIKELY)]
        chosen_engine = choose_engine(Work({loaded.name: plan}, seed), likely, engine, say).engine
        plans = StaffPlans(plan)
        work = Work(plans, seed, engine=chosen_engine)
        lot = stack.enter_context(workers.standing(work, jobs))
        trials = Trials(store, plans, posts, goals, work, lot, say)
        # As many statements as a check makes, at the risk of the first one.
        risk = risk_of(1) / ((len(posts) + 1) * len(goals))
        search = StaffSearch(trials, replications, _t_quantile(replications - 1, 1 - risk))
        study = _Study(loaded, search, goals, path, jobs, progress, say)
        study.refuse_what_staff_cannot_keep(bool(bounds))
        answer, measured, experiment, check = study.settled()
        chosen = measured[answer.staff]
        return Staffing(
            loaded,
            _demand_text(demand, demand_of),
            seed,
            replications,
            goals,
            posts,
            answer,
            check,
            chosen,
            study.measured(_today(posts), check, chosen.staff),
            tuple(study.neighbours(chosen.staff, measured, check)),
            tuple(study.levels(chosen.staff, check)),
            tuple(study.tried()),
            work.engine,
            experiment,
            path,
        )


def default_folder(loaded: Loaded, seed: int, question: object) -> Path:
    """Where a study is kept unless told: named after the scenario, and what is asked of it.

    loaded    the scenario without the demand that is asked for.
    question  all that is asked, in what JSON can say.
    """
    definition = Definition.of({loaded.name: loaded}, seed)
    text = definition.text + json.dumps(question, ensure_ascii=False)
    name = file_names([loaded.name])[loaded.name]
    return Path("results", f"staff-{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}")


def _check_usable(folder: Path) -> None:
    """Raise ResultsError if something else is there."""
    if not folder.is_dir() or (folder / SEARCH / STORE).exists():
        return
    if any(not path.name.startswith(".") for path in folder.iterdir()):
        what = f"{one_line(folder)} is not empty and holds no staffing study; name another folder"
        raise ResultsError(what)


def _demand_text(demand: float, demand_of: Mapping[str, float] | None) -> str:
    named = [f"{name} x {factor:g}" for name, factor in (demand_of or {}).items()]
    return ", ".join([f"x {demand:g}", *named])


def _t_quantile(freedom: int, probability: float) -> float:
    # Not scipy.stats, which takes a second to import.
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


def _today(posts: Sequence[Post]) -> Staff:
    return tuple(post.today for post in posts)


@dataclass
class _Study:
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
            message = f"no staff keeps it: {number} with {servers} in each post{remedy}"
            if math.isnan(found.mean):
                message = f"no staff keeps it: no value with {servers} in each post{remedy}"
            elif found.mean >= 0:
                message = (
                    f"not told from {goal.level_text} even with {servers} in each post{remedy}: "
                    f"{number}; more replications (-r) may tell"
                )
            problems.append(Problem(Mark(f"--promise {goal.text}"), "", message))
        raise ScenarioError(problems)

    def settled(self) -> tuple[Answer, dict[Staff, Measured], Experiment, int]:
        """The answer that a check confirms, what the check measured, and its number."""
        rejected = self.search.rejected.setdefault(self.goals, set())
        answer = self.search.find(self.goals)
        for check in range(1, MOST_CHECKS + 1):
            measured, experiment = self.check(answer.staff, check)
            if measured[answer.staff].held != "kept":
                self.say(f"check {check}: not confirmed, looking on")
                rejected.add(answer.staff)
                answer = self.search.find(self.goals)
                continue
            fewer = [s for s in measured if s != answer.staff and s not in rejected]
            better = [s for s in fewer if measured[s].held == "kept" and measured[s].promises]
            if not better:
                return answer, measured, experiment, check
            self.say(f"check {check}: one server fewer will do, looking on")
            answer = replace(answer, staff=min(better, key=self.search.cost), not_tried=None)
        raise IncompleteError(
            f"{MOST_CHECKS} checks have not settled which staff is the cheapest: promises are kept "
            "by a hair; more replications (-r) tell"
        )

    def check(self, staff: Staff, check: int) -> tuple[dict[Staff, Measured], Experiment]:
        """A staff, and all with one server fewer in one post, on replications of their own."""
        trials, count = self.search.trials, self.search.num_replications
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
                check * count,
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
        numbers = self._numbers(check)
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

    def _numbers(self, check: int) -> range:
        count = self.search.num_replications
        return range((check - 1) * count, check * count)

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
        self, staff: Staff, check: int, chosen: Staff, goals: Sequence[Goal] = ()
    ) -> Measured:
        """A staff on the replications of a check, by one engine; each bound by itself."""
        trials, numbers = self.search.trials, self._numbers(check)
        trials.run([staff, chosen], numbers)
        mine, theirs = (trials.values(one, numbers) for one in (staff, chosen))
        return self._measured(staff, goals or self.goals, mine, theirs, CONFIDENCE)

    def neighbours(
        self, chosen: Staff, checked: Mapping[Staff, Measured], check: int
    ) -> Iterator[Neighbour]:
        """Post by post one server fewer, then one more."""
        numbers = range(len(self.posts))
        self.search.trials.run([more(chosen, number) for number in numbers], self._numbers(check))
        for number in numbers:
            if (fewer := more(chosen, number, -1)) in checked:
                yield Neighbour(number, -1, checked[fewer], True)
            yield Neighbour(number, 1, self.measured(more(chosen, number), check, chosen), False)

    def levels(self, chosen: Staff, check: int) -> Iterator[Level]:
        """The cheapest staff for the first promise at other levels, as the search finds it."""
        first, *others = self.goals
        guess = self.search.find(self.goals).floor
        for goal in first.levels():
            if goal == first:
                yield Level(goal, self.measured(chosen, check, chosen))
                continue
            goals = (goal, *others)
            if not self.search.abundance(goals).is_kept:
                yield Level(goal, None)
                continue
            staff = self.search.find(goals, guess).staff
            yield Level(goal, self.measured(staff, check, chosen, goals))

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
