"""Studies of a hall whose numbers change by date, and that reforms change in the middle."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from dated_hall import dated_hall

from sim.errors import ScenarioError
from sim.loading import Loaded, load_document
from sim.scenario import Arrivals
from sim.studies.moved import with_rates
from sim.studies.variants import with_demand


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def arrivals(loaded: Loaded, name: str) -> list[Arrivals]:
    """Of a case type, in each phase that has it."""
    phases = [phase.scenario.case_types for phase in loaded.scenario.phases]
    return [case_types[name].arrivals for case_types in phases if name in case_types]


# --- demand --------------------------------------------------------------------------------------


def test_demand_multiplies_the_rates_of_every_date_and_of_every_phase() -> None:
    made = with_demand(dated_hall(), 1.5)
    dates = dt.date(2020, 1, 1), dt.date(2020, 1, 11)
    assert arrivals(made, "case")[0].per_working_day == dict(zip(dates, (15, 21), strict=True))
    assert [found.per_hour for found in arrivals(made, "letter")] == [1.5, 3, 3]
    assert [found.batch for found in arrivals(made, "group")] == [{"6": 1}]


def test_demand_of_a_case_type_that_a_reform_brings() -> None:
    made = with_demand(dated_hall(), 1, {"group": 2})
    assert [found.batch for found in arrivals(made, "group")] == [{"8": 1}]
    assert arrivals(made, "case") == arrivals(dated_hall(), "case")


def test_batches_that_a_reform_changes_are_not_multiplied() -> None:
    dated_hall()
    text = "reform: larger\neffective: 2020-01-18\nafter: [team]\nchanges: "
    text += "{case_types: {group: {arrivals: {batch: 5}}}}\n"
    Path("scenarios/reforms/larger.yaml").write_text(text)
    hall = Path("scenarios/hall.yaml")
    hall.write_text(hall.read_text().replace("team.yaml]", "team.yaml, reforms/larger.yaml]"))
    with pytest.raises(ScenarioError, match="group=2: the reform 'larger' changes its batches"):
        with_demand(load_document(hall), 2)
    others = with_demand(load_document(hall), 2, {"group": 1})
    assert [found.batch for found in arrivals(others, "group")] == [4, 5]


def test_the_rates_of_every_date_and_phase_are_those_of_all_who_come_at_random() -> None:
    made = with_rates(dated_hall(), 1.5, "more")
    assert list((arrivals(made, "case")[0].per_working_day or {}).values()) == [15, 21]
    assert [found.per_hour for found in arrivals(made, "letter")] == [1.5, 3, 3]
    assert [found.batch for found in arrivals(made, "group")] == [4]
