"""What tests of scenario files have in common."""

from __future__ import annotations

import re
from typing import Any

from sim.loading import Loaded
from sim.scenario import Scenario
from sim.sources import as_data


def leaves(value: object, path: str = "") -> dict[str, object]:
    """What stands at each dotted path of a scenario as data."""
    if isinstance(value, dict):
        parts = [leaves(below, f"{path}.{key}" if path else key) for key, below in value.items()]
        return {place: leaf for part in parts for place, leaf in part.items()}
    return {path: value}


def differences(first: Loaded, second: Loaded) -> set[str]:
    """Paths at which two scenarios say different things."""
    a, b = leaves(as_data(first.scenario)), leaves(as_data(second.scenario))
    return {path for path in {**a, **b} if a.get(path) != b.get(path)}


def not_in_both_languages(scenario: Scenario, with_activities: bool) -> list[str]:
    """What people read in a scenario that has no English or no Chinese name."""
    things: dict[str, Any] = {"scenario": scenario}
    for kind in ("pools", "case_types", "promises", "published", "trips"):
        things |= {f"{kind}.{id_}": thing for id_, thing in getattr(scenario, kind).items()}
    for id_, case_type in scenario.case_types.items():
        # The one errand of the other load is said by its case type.
        if with_activities and len(case_type.activities) > 2:
            things |= {f"{id_}.{key}": a for key, a in case_type.activities.items()}
    labels = {path: thing.label for path, thing in things.items()}
    return [
        path
        for path, label in labels.items()
        if label is None or not label.en or not re.search(r"[\u4e00-\u9fff]", label.zh or "")
    ]
