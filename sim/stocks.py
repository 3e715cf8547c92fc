"""Stocks: how many of something there are, by a count on a known day and what came and went since.

Market entities on the register, companies registered without a visit this year: cases that pass a
milestone add one, cases of another kind take one away. Source: scenario files (`stocks`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.outcome import Outcome, Places
from sim.plan import Plan
from sim.promises import ARRIVED, DEPARTED, Flow, Stock
from sim.timeline import DAY, NEVER, IntArray
from sim.workload import Workload


class StockTimes:
    """When the stock of one name goes up and down."""

    def __init__(
        self, plan: Plan, workload: Workload, outcome: Outcome, places: Places, stock: Stock
    ) -> None:
        self.stock = stock
        self.gains, self.losses = (
            _instants(plan, workload, outcome, places, flows)
            for flows in (stock.gains, stock.losses)
        )
        # The count is that of the evening.
        known_at = ((stock.known_on - plan.origin).days + 1) * DAY
        self.before = stock.known - int(self.net(np.array(known_at)))

    def net(self, at: IntArray) -> IntArray:
        """Gains less losses before each instant, since the simulation began."""
        gained, lost = (np.searchsorted(flow, at) for flow in (self.gains, self.losses))
        net: IntArray = gained - lost
        return net

    def at(self, instants: IntArray) -> IntArray:
        """How many there are at each instant."""
        return self.before + self.net(instants)


def _instants(
    plan: Plan, workload: Workload, outcome: Outcome, places: Places, flows: Sequence[Flow]
) -> IntArray:
    """When cases pass what the flows name, in order."""
    found = [np.zeros(0, dtype=np.int64)]
    for flow in flows:
        cases = _meant(plan, workload, flow)
        if flow.at == ARRIVED:
            at = workload.arrived_at[cases]
        elif flow.at == DEPARTED:
            at = outcome.departed_at[cases]
        else:
            at = places.milestone_at(plan.milestones.index(flow.at), outcome, cases)
        found.append(at[at != NEVER])
    return np.sort(np.concatenate(found))


def _meant(plan: Plan, workload: Workload, flow: Flow) -> IntArray:
    """The cases of the flow's case types and attributes."""
    known = [{name: (c, v) for c, (name, v, _) in enumerate(t.attributes)} for t in plan.case_types]
    is_of_type = [
        case_type.name in flow.case_types and flow.when.keys() <= values.keys()
        for case_type, values in zip(plan.case_types, known, strict=True)
    ]
    cases = np.flatnonzero(np.array(is_of_type)[workload.case_type])
    for name, wanted in flow.when.items():
        found = [values.get(name, (0, ())) for values in known]
        column = np.array([number for number, _ in found])
        holds = np.zeros((len(found), max(len(values) for _, values in found)), dtype=np.bool_)
        for row, (_, values) in zip(holds, found, strict=True):
            row[: len(values)] = [value in wanted for value in values]
        of_type = workload.case_type[cases]
        cases = cases[holds[of_type, workload.attributes[cases, column[of_type]]]]
    return cases
