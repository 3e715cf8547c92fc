"""What needs two values at once."""
from __future__ import annotations
from sim.scenario import Scenario

def check(scenario: Scenario) -> list[tuple[tuple[str | int, ...], str]]:
    """x."""
    return []
