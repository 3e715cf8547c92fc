"""A scenario with another demand, or with other numbers of servers; all else stays as it is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from sim.documents import from_plain
from sim.errors import Mark, Problem, ScenarioError
from sim.from_tree import scenario_of
from sim.loading import Loaded
from sim.name_checks import among
from sim.overlays import overlaid
from sim.phases import DATED
from sim.scenario import Arrivals
from sim.tree import MapNode, child, find, plain, shown

SOURCE: Final = "assumed, set by a study"
_RATES: Final = ("per_working_day", "per_hour")


def with_demand(
    loaded: Loaded, demand: float = 1.0, by_case_type: Mapping[str, float] | None = None
) -> Loaded:
    """The scenario with its arrivals multiplied.

    demand        how many times as many cases of every case type come; above 0.
    by_case_type  of these case types so many times as many, in the place of `demand`.

    Rates are multiplied, those by date and those that dated reforms set too. What comes every so
    many days comes in larger batches: a batch of 12 times 1.3 is one of 15 or 16 with a mean of
    15.6. Recorded arrivals stay what they are.

    Raises ScenarioError for case types that are not there or recorded, for batches that a dated
    reform changes, and for no demand.
    """
    named = by_case_type or {}
    case_types = loaded.scenario.whole.case_types
    problems = [
        _problem(f"{name}=", f"no case type '{shown(name)}'.{among('case type', name, case_types)}")
        for name in named
        if name not in case_types
    ]
    problems += [
        _problem(f"{factor:g}", "a number above 0 is wanted")
        for factor in (demand, *named.values())
        if not (factor > 0 and math.isfinite(factor))
    ]
    if problems:
        raise ScenarioError(problems)
    changes: dict[str, Any] = {}
    for name in case_types:
        factor = named.get(name, demand)
        if factor == 1:
            continue
        try:
            for reform, arrivals in _with_more(loaded, name, factor):
                below = changes
                for key in (DATED, reform, "changes") if reform else ():
                    below = below.setdefault(key, {})
                below.setdefault("case_types", {})[name] = {"arrivals": arrivals}
        except ValueError as error:
            problems.append(_problem(f"{name}={factor:g}", str(error)))
    if problems:
        raise ScenarioError(problems)
    return _changed(loaded, changes, "--demand") if changes else loaded


def _problem(value: str, message: str) -> Problem:
    return Problem(Mark(f"--demand {shown(value)}"), "", message)


def _with_more(
    loaded: Loaded, name: str, factor: float
) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """What is changed of a case type's arrivals: in the file (None), and in each dated reform.

    Raises ValueError if they cannot be multiplied.
    """
    is_there = False
    for phase in loaded.scenario.phases:
        for reform in phase.reforms or (None,):
            above = [DATED, reform, "changes"] if reform else []
            change = find(loaded.tree, [*above, "case_types", name])
            if not isinstance(change, MapNode):
                continue
            if not is_there:
                is_there = True
                yield reform, _multiplied(phase.scenario.case_types[name].arrivals, factor)
                continue
            said = find(change, ["arrivals"])
            for rate in _RATES:
                if (node := said and child(said, rate)) is not None:
                    yield reform, {rate: _times(plain(node), factor)}
            if said is not None and child(said, "batch") is not None:
                message = f"the reform '{reform}' changes its batches; name the case types that are"
                raise ValueError(f"{message} to be multiplied")


def _times(rate: Any, factor: float) -> Any:
    """A rate, or rates by date."""
    if isinstance(rate, dict):
        return {str(date): value * factor for date, value in rate.items()}
    return rate * factor


def _multiplied(arrivals: Arrivals, factor: float) -> dict[str, Any]:
    """What is changed of them; raises ValueError if they cannot be multiplied."""
    for rate in _RATES:
        if (value := getattr(arrivals, rate)) is not None:
            return {rate: _times(value, factor)}
    if arrivals.recorded is not None:
        raise ValueError("its arrivals are recorded; name the case types that are to be multiplied")
    batch = arrivals.batch
    before = {int(k): v for k, v in batch.items()} if isinstance(batch, dict) else {batch: 1.0}
    after: dict[int, float] = {}
    for size, share in before.items():
        whole, part = divmod(round(size * factor, 9), 1)
        for larger, chance in ((int(whole), 1 - part), (int(whole) + 1, part)):
            if chance > 0:
                after[larger] = after.get(larger, 0.0) + share * chance
    if 0 in after:
        raise ValueError("a batch is one case or more; set its 'every' in the place of this")
    gone = dict.fromkeys(before.keys() - after.keys()) if isinstance(batch, dict) else {}
    return {"batch": {str(size): share for size, share in (after | gone).items()}}


def with_servers(loaded: Loaded, servers: Mapping[tuple[str, str], int]) -> Loaded:
    """The scenario with these numbers of servers, by pool and shift.

    Raises ScenarioError for numbers with which there is no such hall.
    """
    pools: dict[str, Any] = {}
    for (pool, shift), number in servers.items():
        shifts = pools.setdefault(pool, {"shifts": {}})["shifts"]
        shifts[shift] = {"servers": number}
    return _changed(loaded, {"pools": pools}, "servers")


def _changed(loaded: Loaded, changes: Mapping[str, Any], what: str) -> Loaded:
    patch = from_plain(changes, Mark(what), SOURCE)
    assert isinstance(patch, MapNode)
    tree = overlaid(loaded.tree, patch)
    return replace(loaded, scenario=scenario_of(tree), tree=tree)
