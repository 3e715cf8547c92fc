"""Staffing: the cheapest numbers of servers that keep what is promised, and how sure that is.

A search (`staff_search`) proposes a staff. A check then runs it, and every staff with one server
fewer in one post, on replications that had no part in choosing it. In check number t the statements
"this staff keeps every promise" and "with one fewer a promise is broken" hold together with a
confidence of 1 - 0.05 / 2^t: each of the (staffs x promises) one-sided t intervals has its share
(Bonferroni). Each check has replications of its own. A staff that is undecided is checked with more
of them; one that is not confirmed is not proposed again; one with a server fewer that keeps
everything takes the place of the one that was checked. All checks together miss in one of 20
studies at most, as far as means over replications are normally distributed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from sim import workers
from sim.definition import Definition
from sim.errors import Mark, Problem, ResultsError, ScenarioError
from sim.planning import compile_plan
from sim.results import open_folder
from sim.sources import Source, load_all
from sim.store import STORE, Store
from sim.studies.goals import goals_of
from sim.studies.posts import Post, Staff, posts_of
from sim.studies.staff_findings import (
    Staffing,
    risk_of,
)
from sim.studies.staff_search import StaffSearch
from sim.studies.staff_study import Progress, StaffStudy
from sim.studies.trials import StaffPlans, Trials
from sim.studies.variants import with_demand
from sim.tasks import EngineChoice, Task, Work, choose_engine
from sim.texts import one_line

LIKELY: Final = 200
"""Replications that a search takes, about: by these the engine is chosen."""
SEARCH: Final = "search"
"""The folder of the replications that a staff is looked for with."""


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
    replications  of each check, 2 or more; of one that is to decide what another left open, more.
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
        study = StaffStudy(loaded, search, goals, path, jobs, progress, say)
        study.refuse_what_staff_cannot_keep(bool(bounds))
        settled = study.settled()
        chosen = settled.answer.staff
        return Staffing(
            loaded,
            _demand_text(demand, demand_of),
            seed,
            len(settled.numbers),
            goals,
            posts,
            settled.answer,
            settled.check,
            settled.measured[chosen],
            study.measured(_today(posts), settled.numbers, chosen),
            tuple(study.neighbours(settled)),
            tuple(study.levels(settled)),
            tuple(study.tried()),
            work.engine,
            settled.experiment,
            path,
        )


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
