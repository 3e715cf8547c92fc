"""Reforms that take effect one after the other, while a hall is at work.

Between two of them lies a phase, whose scenario is the one of the file with all reforms up to then
laid over it. What a reform changes in the middle of a run has three kinds:

-   A case keeps the process that it began under, unless the reform moves it over.
-   Servers, opening hours and how many cases come are the hall's: they change on the day. A pool
    that a reform removes goes on for those who began before.
-   What time is counted by (calendar, working hours, horizon), the rules of a pool, and what is
    promised cannot change in the middle of a run.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sim.errors import Problem, ScenarioError
from sim.moves import obstacles
from sim.overlays import overlaid, unfinished
from sim.reforms import Reform, ReformFile, contradictions, in_order, united
from sim.scenario import CaseType, Phase, Scenario
from sim.tree import ListNode, MapNode, Node, Scalar, dotted, find, locate, plain, shown, without

DATED: Final = "dated_reforms"
_UNCHANGED: Final = ("calendar", "working_hours", "horizon")
_RULES: Final = ("at_shift_end", "at_closing", "room")


@dataclass(frozen=True)
class PhaseTree:
    """What holds in one phase, as a tree."""

    since: dt.date | None
    reforms: tuple[ReformFile, ...]
    """Those that take effect then."""
    tree: MapNode
    moved: tuple[tuple[dt.date, tuple[ReformFile, ...], MapNode], ...] = ()
    """When cases that begin in it move over, by which reforms, and what holds for them then."""


def dated_reforms(tree: MapNode) -> list[ReformFile]:
    """The dated reforms of a tree whose values are right."""
    node = tree.entries.get(DATED)
    found = []
    for name, below in node.entries.items() if isinstance(node, MapNode) else ():
        assert isinstance(below, MapNode)
        named = replace(below, entries={"reform": Scalar(name, below.mark), **below.entries})
        found.append(ReformFile(Reform.model_validate(plain(named)), named))
    return found


def without_dates(tree: MapNode) -> MapNode:
    """A tree without its dated reforms."""
    return without(tree, [DATED])


def without_names(reform: Node, names: Collection[str]) -> Node:
    """A reform that builds on others, without these."""
    if not isinstance(reform, MapNode):
        return reform
    entries = dict(reform.entries)
    for key in ("after", "needs"):
        known = entries.get(key)
        if isinstance(known, ListNode):
            left = [item for item in known.items if plain(item) not in names]
            entries[key] = replace(known, items=tuple(left))
        elif isinstance(known, Scalar) and known.value in names:
            del entries[key]
    return replace(reform, entries=entries)


def phase_trees(tree: MapNode) -> list[PhaseTree]:
    """The phases of a tree, by date; raises ScenarioError for reforms that do not fit together."""
    order = in_order(dated_reforms(tree))
    if problems := contradictions(order):
        raise ScenarioError(problems)
    base = without_dates(tree)
    phases = [PhaseTree(None, (), base)]
    for since, begun in itertools.groupby(order, key=lambda reform: reform.about.effective):
        until_now = [*itertools.chain(*(phase.reforms for phase in phases)), *(new := tuple(begun))]
        phases.append(PhaseTree(since, new, _changed(base, until_now)))
    return [
        replace(phase, moved=tuple(_moves(base, phases, number)))
        for number, phase in enumerate(phases)
    ]


def _changed(base: MapNode, reforms: Sequence[ReformFile]) -> MapNode:
    """A tree with reforms laid over it, which are in their order."""
    for piece in united(reforms):
        if problems := unfinished(base, piece):
            raise ScenarioError(problems)
        base = overlaid(base, piece)
    return base


def _moves(
    base: MapNode, phases: Sequence[PhaseTree], number: int
) -> Iterator[tuple[dt.date, tuple[ReformFile, ...], MapNode]]:
    """What moves over those who begin in a phase."""
    held = list(itertools.chain(*(phase.reforms for phase in phases[: number + 1])))
    for phase in phases[number + 1 :]:
        moving = tuple(r for r in phase.reforms if r.about.in_progress == "move")
        if moving:
            assert phase.since is not None
            held += moving
            yield phase.since, moving, _changed(base, held)


def phase_of(tree: PhaseTree, scenario: Scenario) -> Phase:
    """A phase whose scenario is known; raises ScenarioError if cases cannot move over in it."""
    names = tuple(reform.name for reform in tree.reforms)
    moved: list[tuple[dt.date, dict[str, CaseType]]] = []
    before, now = tree.tree, dict(scenario.case_types)
    for since, moving, after in tree.moved:
        changed: dict[str, CaseType] = {}
        for name in now:
            old, new = (find(t, ["case_types", name]) for t in (before, after))
            if new is None or new == old:
                continue
            changed[name] = CaseType.model_validate(plain(new))
            for path, message in obstacles(now[name], changed[name]):
                raise ScenarioError([_no_way(tree, since, moving, name, path, message)])
        now |= changed
        before = after
        moved.append((since, now.copy()))
    return Phase(tree.since, names, scenario, tuple(moved))


def _no_way(
    phase: PhaseTree,
    since: dt.date,
    moving: Sequence[ReformFile],
    case_type: str,
    path: tuple[str, ...],
    message: str,
) -> Problem:
    """Cases that would not find their way."""
    where = ("case_types", case_type, *path)
    reform = next((r for r in moving if find(r.changes, where[:2])), moving[0])
    began = f"from {phase.since} on" if phase.since else "at first"
    text = (
        f"'{shown(reform.name)}' moves cases in progress over on {since}, but leaves those who "
        f"began {began} no way to their end: {message}; "
        "with 'in_progress: keep' they end as they began"
    )
    return Problem(locate(reform.changes, where), dotted(where), text)


# What cannot change


def problems_between(trees: Sequence[PhaseTree], scenarios: Sequence[Scenario]) -> list[Problem]:
    """What reforms change although it cannot change in the middle of a run."""
    return [
        _by_reform(tree, path, message)
        for tree, (before, after) in zip(trees[1:], itertools.pairwise(scenarios), strict=True)
        for path, message in _changes(before, after)
    ]


def _changes(before: Scenario, after: Scenario) -> Iterator[tuple[tuple[str, ...], str]]:
    """Where something changes that cannot, and what."""
    for key in _UNCHANGED:
        if getattr(before, key) != getattr(after, key):
            yield (key,), "time is counted by this"
    open_at = [scenario.hours[scenario.working_hours] for scenario in (before, after)]
    if before.working_hours == after.working_hours and open_at[0] != open_at[1]:
        yield ("hours", before.working_hours), "they are the working hours: time is counted by them"
    for name, figure in before.published.items():
        if after.published.get(name) != figure:
            yield ("published", name), "a whole run is judged by it"
    for name in before.pools.keys() & after.pools.keys():
        for key in _RULES:
            if getattr(before.pools[name], key) != getattr(after.pools[name], key):
                yield ("pools", name, key), "people wait there by this rule"
    for name in before.promises.keys() & after.promises.keys():
        if before.promises[name] != after.promises[name]:
            yield ("promises", name), "it is one promise; give the new one another name"
    for name in before.case_types.keys() & after.case_types.keys():
        kinds = [_kind_of_arrivals(s, name) for s in (before, after)]
        if kinds[0] != kinds[1]:
            yield ("case_types", name, "arrivals"), f"they come {kinds[0]} before, {kinds[1]} after"


def _kind_of_arrivals(scenario: Scenario, name: str) -> str:
    arrivals = scenario.case_types[name].arrivals
    kinds = ("per_working_day", "per_hour", "every", "recorded")
    return next(kind for kind in kinds if getattr(arrivals, kind) is not None)


def _by_reform(tree: PhaseTree, path: tuple[str, ...], message: str) -> Problem:
    """A problem at the place where a reform of the phase says it."""
    for reform in tree.reforms:
        if find(reform.changes, path[:2]) is not None:
            break
    names = ", ".join(shown(reform.name) for reform in tree.reforms)
    since = f"cannot change in the middle of a run, as it would on {tree.since} by {names}"
    return Problem(locate(reform.changes, path), dotted(path), f"{since}: {message}")


def problems_of_dates(tree: MapNode, first: dt.date, last: dt.date) -> list[Problem]:
    """Reforms that take effect when nothing is simulated: `first` and `last` day of it."""
    problems = []
    for reform in dated_reforms(tree):
        since = reform.about.effective
        assert since is not None
        message = ""
        if since <= first:
            message = (
                f"takes effect on {since}, when the simulation begins ({first}) or before: "
                "a reform that holds throughout is named under 'reforms'"
            )
        elif since > last:
            message = f"takes effect on {since}, after the last day of the horizon ({last})"
        if message:
            path = (DATED, reform.name, "effective")
            problems.append(Problem(locate(tree, path), dotted(path), message))
    return problems
