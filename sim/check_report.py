"""What `hall check` shows: where a scenario's numbers are from, the load of its pools, warnings."""

from __future__ import annotations

from collections import Counter
from typing import Final

from sim.loading import Loaded, provenance
from sim.offered_load import heaviest_years, offered_load
from sim.reforms import ReformFile
from sim.scenario import Phase, Scenario
from sim.texts import one_line
from sim.validation import warnings_about

NEARLY_FULL: Final = 0.9
"""A load above this is marked."""
KINDS: Final = ("stated", "derived", "calibrated", "assumed", None)


def check_report(loaded: Loaded) -> list[str]:
    """Lines: how many numbers are from where, those without a statement, the load of each pool."""
    rows = provenance(loaded)
    counts = Counter(row.kind for row in rows)
    shares = [f"{counts[kind]} {kind or 'without a statement'}" for kind in KINDS]
    return [
        f"{one_line(loaded.path)}: ok",
        *(f"  with {_reform_line(reform)}" for reform in loaded.reforms),
        *(
            f"  from {phase.since} on: {_dated_line(loaded.scenario, phase)}"
            for phase in loaded.scenario.phases[1:]
        ),
        f"  {len(rows)} numbers: {', '.join(shares)}",
        *(
            f"    {one_line(row.mark)}: {one_line(row.path)}: {one_line(row.value)}"
            for row in rows
            if row.kind is None
        ),
        f"  {load_line(loaded.scenario)}",
    ]


def _reform_line(reform: ReformFile) -> str:
    """A reform's name, and since when it holds."""
    since = reform.about.effective
    return one_line(reform.name) + (f", {since}" if since else "")


def _dated_line(scenario: Scenario, phase: Phase) -> str:
    """The reforms that take effect on a day, and which of them move cases in progress over."""
    moves = {n for n, reform in scenario.dated_reforms.items() if reform.in_progress == "move"}
    names = [one_line(n) + " (cases move over)" * (n in moves) for n in phase.reforms]
    return ", ".join(names)


def load_line(scenario: Scenario) -> str:
    """The load of each pool, marked where it is high, with a year in which it is 1 or more."""
    years = _overloaded_years(scenario)
    texts = [
        f"{pool.pool} {pool.load:.2f}{'!' * (pool.load > NEARLY_FULL)}"
        + (f" ({years[pool.pool][0]}: {years[pool.pool][1]:.2f}!)" if pool.pool in years else "")
        for pool in offered_load(scenario)
    ]
    marked = f"  (! above {NEARLY_FULL:g})" if any("!" in text for text in texts) else ""
    return "load: " + ("  ".join(texts) + marked if texts else "no pools")


def load_warnings(loaded: Loaded) -> list[str]:
    """A line each: pools that get more work than they can do, and what is most likely not meant."""
    overloads = [
        (pool.pool, f"{pool.load:.2f}")
        for pool in offered_load(loaded.scenario)
        if pool.is_overload
    ]
    overloads += [
        (pool, f"{load:.2f} in {year}")
        for pool, (year, load) in _overloaded_years(loaded.scenario).items()
    ]
    found = [
        f"pool '{pool}' has load {load}: more work comes than its shifts have hours for: "
        "overtime, people who leave, or a queue that grows"
        for pool, load in overloads
    ]
    found += warnings_about(loaded.scenario)
    return [f"{one_line(loaded.path)}: {warning}" for warning in found]


def _overloaded_years(scenario: Scenario) -> dict[str, tuple[int, float]]:
    """Pools that could do all work of the whole horizon, but not that of a year in it."""
    whole = {pool.pool for pool in offered_load(scenario) if pool.is_overload}
    years = heaviest_years(scenario)
    return {pool: found for pool, found in years.items() if pool not in whole and found[1] >= 1}
