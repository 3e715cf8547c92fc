"""From a tree to a `Scenario`: every problem of it, or the scenario.

What is wrong with the values is said by `scenario`, `model_errors` and `validation`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

from pydantic import ValidationError

from sim import schema, validation
from sim.errors import Problem, ScenarioError
from sim.fields import Model
from sim.model_errors import KEY_PART, existing, model_of_the_rest, model_problems, problem_at
from sim.name_checks import Finding, check_names
from sim.phases import (
    DATED,
    phase_of,
    phase_trees,
    problems_between,
    problems_of_dates,
)
from sim.recordings import MAX_ROW_PROBLEMS, and_more
from sim.scenario import Scenario
from sim.time_tables import horizon_dates
from sim.tree import ListNode, MapNode, Node, find, plain

_STAND_INS: Final = {
    "hours": {"stand_in": []},
    "working_hours": "stand_in",
    "horizon": {"from": "2015-01-01", "to": "2015-01-01"},
}
"""For what every scenario needs, so that the rest can be looked at without it."""

_Model = TypeVar("_Model", bound=Model)


def scenario_of(tree: MapNode, on_top: bool = False) -> Scenario:
    """The scenario that a tree says.

    on_top  whether the tree is that of a file, which has keys of its own on top.

    Raises ScenarioError with every problem.
    """
    scenario, problems = problems_of(Scenario, tree, on_top)
    if scenario is None:
        raise ScenarioError(_in_order([*problems, *_strange_names(tree)]))
    if scenario.dated_reforms:
        scenario = _in_phases(scenario, tree)
    _raise_findings(validation.check(scenario), tree)
    return scenario


def _in_phases(scenario: Scenario, tree: MapNode) -> Scenario:
    """A scenario with what its dated reforms make of it; each of its phases is checked."""
    first = scenario.model_copy(update={DATED: {}})
    _raise_findings(validation.check_values(first), tree)
    begins, _, last = horizon_dates(first)
    problems = problems_of_dates(tree, begins, last)
    if problems:
        raise ScenarioError(_in_order(problems))
    trees, scenarios = phase_trees(tree), [first]
    for phase in trees[1:]:
        changed, problems = problems_of(Scenario, phase.tree)
        if changed is None:
            raise ScenarioError(_in_order(problems))
        _raise_findings(validation.check_values(changed), phase.tree)
        scenarios.append(changed)
    if problems := problems_between(trees, scenarios):
        raise ScenarioError(_in_order(problems))
    return scenario.in_phases(tuple(map(phase_of, trees, scenarios)))


def _raise_findings(findings: Sequence[Finding], tree: MapNode) -> None:
    if findings:
        raise ScenarioError(_in_order([problem_at(tree, *finding) for finding in findings]))


def problems_of(
    model: type[_Model], tree: MapNode, on_top: bool = False
) -> tuple[_Model | None, list[Problem]]:
    """What a model makes of a tree, or what is wrong with its values."""
    try:
        return model.model_validate(plain(tree)), []
    except ValidationError as error:
        return None, model_problems(error, tree, schema.with_file_keys(model, on_top=on_top))


def _strange_names(tree: MapNode) -> list[Problem]:
    """Names that nothing in a file bears whose values cannot all be used.

    They are looked for in what is left without those values. What was left out may bear a name
    too, so that only names are reported that are no key at all, and have others to choose from.
    """
    scenario = model_of_the_rest(Scenario, tree, _STAND_INS)
    if scenario is None:
        return []
    keys = set(_all_keys(tree))
    problems = []
    for path, message in check_names(scenario):
        node = find(tree, existing(tree, path))
        name = path[-2] if path[-1] == KEY_PART else plain(node) if node else None
        is_strange = isinstance(name, str) and name not in keys
        if is_strange and message.startswith("no ") and "There are none" not in message:
            problems.append(problem_at(tree, path, message))
    # Activities that were left out may have had milestones.
    return [problem for problem in problems if not problem.message.startswith("no milestone")]


def _all_keys(node: Node) -> Iterator[str]:
    match node:
        case MapNode():
            yield from node.entries
            for below in node.entries.values():
                yield from _all_keys(below)
        case ListNode():
            for item in node.items:
                yield from _all_keys(item)
        case _:
            return


def _in_order(problems: Sequence[Problem]) -> list[Problem]:
    """Problems file by file and line by line; those of a recording's rows cut short."""
    files = list(dict.fromkeys(problem.mark.file for problem in problems))
    by_list: dict[str, list[Problem]] = {}
    kept = []
    for problem in sorted(problems, key=lambda p: (files.index(p.mark.file), p.mark)):
        same_list = by_list.setdefault(_recording(problem), [])
        same_list.append(problem)
        if len(same_list) <= MAX_ROW_PROBLEMS or not _recording(problem):
            kept.append(problem)
    more = (found[MAX_ROW_PROBLEMS:] for place, found in by_list.items() if place)
    return [*kept, *(and_more(rest) for rest in more if rest)]


def _recording(problem: Problem) -> str:
    """Path of the recorded list that a problem is about, or nothing."""
    place = problem.path.rpartition("[")[0]
    return place if ".arrivals.recorded" in place else ""
