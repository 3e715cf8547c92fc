"""Stocks: how many of something there are, by a count on a known day and what came and went since.

Market entities on the register, companies registered without a visit this year: cases that pass a
milestone add one, cases of another kind take one away. Source: scenario files (`stocks`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim.outcome import Outcome, Places
from sim.plan import Plan
from sim.scenario import ARRIVED, DEPARTED, Flow, Stock
from sim.timeline import DAY, NEVER, BoolArray, IntArray
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
        cases = np.flatnonzero(_is_meant(plan, workload, flow))
        if flow.at == ARRIVED:
            at = workload.arrived_at[cases]
        elif flow.at == DEPARTED:
            at = outcome.departed_at[cases]
        else:
            at = places.milestone_at(plan.milestones.index(flow.at), outcome, cases)
        found.append(at[at != NEVER])
    return np.sort(np.concatenate(found))


def _is_meant(plan: Plan, workload: Workload, flow: Flow) -> BoolArray:
    """Whether each case is of the flow's case types and attributes."""
    is_meant = np.zeros(workload.num_cases, dtype=np.bool_)
    for number, case_type in enumerate(plan.case_types):
        values = {name: (column, v) for column, (name, v, _) in enumerate(case_type.attributes)}
        if case_type.name not in flow.case_types or not flow.when.keys() <= values.keys():
            continue
        is_mine = workload.case_type == number
        for name, wanted in flow.when.items():
            column, known = values[name]
            numbers = [index for index, value in enumerate(known) if value in wanted]
            is_mine &= np.isin(workload.attributes[:, column], numbers)
        is_meant |= is_mine
    return is_meant
