"""The hall of `plain_year` as a scenario.

python tests/benchmarks/year_hall.py > year.yaml
"""

from __future__ import annotations

from typing import Any

import yaml
from plain_year import CV, DAYS, MEAN, PER_DAY, POOLS, SERVERS, SERVICES, URGENT


def scenario_data(days: int = DAYS) -> dict[str, Any]:
    """The hall as a scenario; the promise is there for the mean cycle time."""
    activities: dict[str, Any] = {}
    for service in range(SERVICES):
        activities[f"service_{service + 1}"] = {
            "after": list(activities)[-1:],
            "pool": f"pool_{service % POOLS + 1}",
            "service": {"lognormal": {"mean": f"{MEAN} min", "cv": CV}},
        }
    return {
        "calendar": "always",
        "hours": {"all_day": ["00:00-24:00"]},
        "working_hours": "all_day",
        "horizon": {"from": "2021-01-01", "to": f"{days} working days"},
        "pools": {
            f"pool_{pool + 1}": {"shifts": {"all_day": {"servers": SERVERS}}}
            for pool in range(POOLS)
        },
        "case_types": {
            "case": {
                "arrivals": {"per_hour": PER_DAY / 24},
                "attributes": {"urgent": {"yes": URGENT, "no": 1 - URGENT}},
                "priority": {"urgent": {"yes": 0, "no": 1}},
                "activities": activities,
            }
        },
        "promises": {
            "cycle": {
                "case_types": "case",
                "from": "arrived",
                "to": "departed",
                "within": "1 working day",
            }
        },
    }


def scenario_text(days: int = DAYS) -> str:
    """The scenario file."""
    return yaml.safe_dump(scenario_data(days), sort_keys=False)


if __name__ == "__main__":
    print(scenario_text(), end="")
