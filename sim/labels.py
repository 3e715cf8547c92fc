"""What people read in the place of ids: labels of scenarios, promises, pools and case types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sim.loading import Loaded
from sim.metric_definitions import CHANNEL, HALL, METRICS
from sim.scenario import Scenario

_STATISTICS: Final = {
    "mean": "mean",
    "median": "median",
    "max": "largest",
    "p90": "90 % within",
    "p95": "95 % within",
}

PARTS: Final = {
    "trip": "person to come\n等待来人",
    "gate": "tray, signature, hour\n等待流转签批",
    "queue": "waiting for a server\n排队等候",
    "service": "being served\n办理中",
    "delay": "delay\n等待期限",
    "closed": "closed hours\n非办公时间",
    "lead_time": "lead time\n全程",
}
"""What the time of a case goes into, see `critical_path.Part`."""


def title(metric: str) -> str:
    """A metric's name as words: `working days, 90 % within` for `working_days_p90`."""
    words = statistic(metric)
    return (f"{metric.rpartition('_')[0]}, {words}" if words else metric).replace("_", " ")


def statistic(metric: str) -> str:
    """What a metric tells of a distribution, such as `median`; empty for others."""
    return _STATISTICS.get(metric.rpartition("_")[2], "")


def limit(scenario: Scenario, metric: str, subject: str) -> str:
    """The limit that an on-time share is about, such as `5 working days`; empty for others."""
    promise = scenario.whole.promises.get(subject)
    return str(promise.within) if metric == "on_time_share" and promise else ""


@dataclass(frozen=True)
class Labels:
    """By id; where scenarios differ, the first one's. Chinese text follows in a line of its own.

    Scenarios of one label go by their names.
    """

    scenarios: dict[str, str]
    promises: dict[str, str]
    pools: dict[str, str]
    case_types: dict[str, str]
    stocks: dict[str, str]

    @classmethod
    def of(cls, loaded: Mapping[str, Loaded]) -> Labels:
        """The labels of these scenarios."""
        scenarios = {name: document.scenario.whole for name, document in loaded.items()}
        promises: dict[str, Any] = {}
        pools: dict[str, Any] = {}
        case_types: dict[str, Any] = {}
        stocks: dict[str, Any] = {}
        for scenario in scenarios.values():
            promises = dict(scenario.promises) | promises
            pools = dict(scenario.pools) | pools
            case_types = dict(scenario.case_types) | case_types
            stocks = dict(scenario.stocks) | stocks
        names = _labels(scenarios)
        count = Counter(names.values())
        # A change made in Python leaves the label: the name tells them apart.
        names = {name: text if count[text] == 1 else name for name, text in names.items()}
        return cls(names, *map(_labels, (promises, pools, case_types, stocks)))

    def subject(self, metric: str, subject: str) -> str:
        """What a metric is of."""
        if subject == HALL and HALL in METRICS[metric].subjects:
            return "whole hall"
        kinds = {
            "promise": self.promises,
            "pool": self.pools,
            "case_type": self.case_types,
            "stock": self.stocks,
        }
        for kind in METRICS[metric].subjects:
            if subject in kinds.get(kind, {}):
                return kinds[kind][subject]
        return f"channel {subject}" if CHANNEL in METRICS[metric].subjects else subject


def activity_labels(loaded: Mapping[str, Loaded]) -> dict[tuple[str, str], str]:
    """By case type and activity; where scenarios differ, or phases of one, the first one's."""
    found: dict[tuple[str, str], str] = {}
    for phase in (phase for document in loaded.values() for phase in document.scenario.phases):
        for name, case_type in phase.scenario.case_types.items():
            labels = _labels(case_type.activities)
            found = {(name, activity): text for activity, text in labels.items()} | found
    return found


def _labels(things: Mapping[str, Any]) -> dict[str, str]:
    return {name: thing.label.text() if thing.label else name for name, thing in things.items()}
