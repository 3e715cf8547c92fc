"""What needs two values of a scenario at once: names, processes, calendar and load.

Each value by itself is checked by the models of `scenario`. A finding is a path and a message; the
place in a file is found by `loading`. What one stage finds keeps later stages from running, since
they would trip over it.
"""

from __future__ import annotations

from sim.name_checks import Finding, check_names, check_stocks
from sim.plan_checks import (
    check_horizon,
    check_plan,
    check_recorded,
    check_time_laws,
)
from sim.plan_warnings import plan_warnings
from sim.process_checks import check_processes
from sim.scenario import Scenario


def check(scenario: Scenario) -> list[Finding]:
    """Everything that keeps a scenario from being simulated; none if it can be.

    A path is a tuple of keys and indices, fit for `tree.locate`; one that ends with "[key]" is
    about the key before it.
    """
    findings = check_values(scenario) or list(check_stocks(scenario))
    return findings or list(check_plan(scenario))


def check_values(scenario: Scenario) -> list[Finding]:
    """What of this is wrong without a look at what happens when."""
    findings = [*check_horizon(scenario), *check_time_laws(scenario), *check_recorded(scenario)]
    names = list(check_names(scenario))
    return findings + (names or list(check_processes(scenario)))


def warnings_about(scenario: Scenario) -> list[str]:
    """What in a right scenario is most likely not meant: sentences that begin with a dotted path.

    Recorded rows outside the horizon, people who come to closed pools, gates whose last date leaves
    cases stuck, pools that no activity asks for, and rules for people where none come.
    """
    return list(plan_warnings(scenario))
