"""Case types that are like others: what they begin as, and what changes them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sim.errors import ScenarioError
from sim.loading import load, load_document, resolved_yaml, scenario_from
from sim.scenario import Scenario
from sim.tree import locate_key

HALL = """\
calendar: weekdays
hours: {day: ["09:00-17:00"]}
working_hours: day
horizon: {from: 2015-01-05, to: 5 working days}
pools: {desk: {shifts: {day: {servers: 1}}}}
case_types:
  shop:
    like: company
    arrivals: {per_hour: 2}
    activities: {check: null, file: {service: 5 min}}
  company:
    arrivals: {per_hour: 1}
    activities:
      file: {pool: desk, service: 10 min}
      check: {after: file, delay: 1 h}
      sign: {after: check, delay: 1 h}
  stall:
    like: shop
    activities: {pay: {after: sign, delay: 1 h}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("hall.yaml").write_text(HALL, encoding="utf-8")


def says(message: str):
    return pytest.raises(ScenarioError, match=rf"\A{re.escape(message)}\Z")


def described(scenario: Scenario, name: str) -> tuple[float | None, dict[str, tuple[str, ...]]]:
    case_type = scenario.case_types[name]
    after = {activity: parts.after for activity, parts in case_type.activities.items()}
    return case_type.arrivals.per_hour, after


def test_a_case_type_begins_as_the_one_that_it_is_like():
    """And gaps close in the copy; the one it is like may stand below it, or be a copy itself."""
    hall = load("hall.yaml")
    assert described(hall, "company") == (1, {"file": (), "check": ("file",), "sign": ("check",)})
    assert described(hall, "shop") == (2, {"file": (), "sign": ("file",)})
    assert described(hall, "stall") == (2, {"file": (), "sign": ("file",), "pay": ("sign",)})
    assert list(hall.case_types) == ["shop", "company", "stall"]


def test_later_files_change_one_without_the_other():
    Path("next.yaml").write_text("extends: hall.yaml\n", encoding="utf-8")
    change = "case_types.company.activities.sign.delay=2 h"
    laws = {
        name: case_type.activities["sign"].delay
        for name, case_type in load("next.yaml", [change]).case_types.items()
    }
    delays = {name: str(law.constant) for name, law in laws.items() if law is not None}
    assert delays == {"shop": "1 h", "company": "2 h", "stall": "1 h"}


def test_a_later_file_adds_a_case_type_like_one_of_its_base():
    text = "extends: hall.yaml\ncase_types: {kiosk: {like: shop, activities: {sign: null}}}\n"
    Path("next.yaml").write_text(text, encoding="utf-8")
    hall = load("next.yaml")
    assert described(hall, "kiosk") == (2, {"file": ()})
    assert list(hall.case_types) == ["shop", "company", "stall", "kiosk"]


def test_the_resolved_file_writes_every_case_type_out():
    loaded = load_document("hall.yaml")
    assert "like" not in resolved_yaml(loaded)
    assert str(locate_key(loaded.tree, ["case_types", "stall"])) == "hall.yaml:17:3"
    assert str(locate_key(loaded.tree, ["case_types", "stall", "activities", "sign"])) == (
        "hall.yaml:16:7"
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("like: company", "like: compny", "8:11: case_types.shop.like: no case type 'compny'. "
         "Did you mean 'company'? Case types: company"),
        ("like: company", "like: []", "8:11: case_types.shop.like: no case type ''. "
         "Case types: company"),
        ("like: company", "like: stall", "8:11: case_types.shop.like: case types are like each "
         "other in a circle: shop like stall like shop"),
        ("like: company", "like: shop", "8:11: case_types.shop.like: case types are like each "
         "other in a circle: shop like shop"),
        ("check: null", "chck: null", "10:24: case_types.shop.activities.chck: nothing to remove "
         "here. Did you mean 'check'?"),
    ],
)  # fmt: skip
def test_likeness_to_nothing_is_a_problem(old, new, message):
    Path("hall.yaml").write_text(HALL.replace(old, new), encoding="utf-8")
    with says(f"hall.yaml:{message}"):
        load("hall.yaml")


def test_python_data_can_say_it_too():
    data = {
        "calendar": "weekdays",
        "hours": {"day": ["09:00-17:00"]},
        "working_hours": "day",
        "horizon": {"from": "2015-01-05", "to": "5 working days"},
        "case_types": {
            "company": {"arrivals": {"per_hour": 1}, "activities": {"wait": {"delay": "1 h"}}},
            "shop": {"like": "company", "arrivals": {"per_hour": 2}},
        },
    }
    assert described(scenario_from(data), "shop") == (2, {"wait": ()})
