"""The six years of Lanzhou New Area as one run: published figures, and when what changed."""

from __future__ import annotations

import functools
import statistics
from pathlib import Path

import pytest

from sim.comparison import KEPT, verdict
from sim.loading import Loaded, load_document
from sim.metric_definitions import METRICS
from sim.metrics import Measures
from sim.plan import Plan
from sim.planning import compile_plan
from sim.replication import compare_engines, replicate

FILE = Path(__file__).parents[1] / "scenarios" / "lanzhou-2015-2020.yaml"
REPLICATIONS = 4


@functools.cache
def loaded() -> Loaded:
    return load_document(FILE)


@functools.cache
def plan() -> Plan:
    return compile_plan(loaded().scenario)


@functools.cache
def measured() -> list[Measures]:
    return [replicate(plan(), 1, n, "compiled").measures for n in range(REPLICATIONS)]


def monthly(metric: str, subject: str) -> dict[str, float]:
    """Mean over replications, by month."""
    found: dict[str, list[float]] = {}
    for measures in measured():
        for row in zip(*measures.months.values(), strict=True):
            if row[1:3] == (metric, subject):
                found.setdefault(row[0], []).append(row[3])
    return {month: statistics.fmean(values) for month, values in found.items()}


@pytest.mark.parametrize("name", sorted(loaded().scenario.published))
def test_published_figures_come_out(name: str) -> None:
    figure = loaded().scenario.published[name]
    values = [m.values[figure.metric, figure.subject] for m in measured()]
    relation = "at_least" if figure.at_least is not None else "equals"
    published = figure.at_least if figure.at_least is not None else figure.equals
    assert published is not None
    unit = METRICS[figure.metric].unit
    assert verdict(statistics.fmean(values), relation, published, figure.tolerance, unit) in KEPT


def test_the_curves_begin_as_2015_and_end_as_2020() -> None:
    registration = monthly("working_days_median", "registration")
    opening = monthly("working_days_median", "opening")
    visits = monthly("visits_mean", "company")
    assert len(registration) == 6 * 12 - 1
    for number in range(1, 10):
        month = f"2015-{number:02}"
        assert registration[month] == pytest.approx(5, abs=0.5)
        assert 14 <= opening[month] <= 16
        assert 9 <= visits[month] <= 10
    for month in ("2020-08", "2020-09", "2020-10"):
        assert registration[month] < 0.5
        assert opening[month] <= 1.5
        assert visits[month] < 1.5
    # Trays and signature rounds end on 1 July 2018, and with them half of the registration.
    assert registration["2018-05"] == 5
    assert registration["2018-08"] == 2
    backlog = monthly("in_progress", "company")
    assert max(backlog.values()) < 150
    assert backlog["2020-10"] < 30


def test_every_dated_reform_takes_effect_and_none_of_them_is_forgotten() -> None:
    phases = loaded().scenario.phases
    taking_effect = [name for phase in phases for name in phase.reforms]
    dated = [
        path.stem
        for path in (FILE.parent / "reforms").glob("*.yaml")
        if "\neffective:" in path.read_text(encoding="utf-8")
    ]
    assert sorted([*taking_effect, "chattel-out"]) == sorted(dated)  # that one in 2021
    assert [phase.since for phase in phases[1:]] == sorted({p.since for p in phases[1:] if p.since})


def test_no_pool_is_overloaded_for_long() -> None:
    for measures in measured():
        for pool in plan().pools:
            assert measures.values["utilisation", pool.name] < 0.9
        assert abs(measures.values["backlog_growth", "hall"]) < 0.5


def test_few_come_in_february_2020_and_as_many_as_ever_by_november() -> None:
    arrivals = monthly("arrivals", "enquiry")
    a_day = {"2019-11": 21, "2020-02": 20, "2020-05": 19}
    usual, february, may = (arrivals[month] / days for month, days in a_day.items())
    assert february / usual == pytest.approx(0.2, abs=0.03)
    assert may / usual == pytest.approx(1.135, abs=0.08)
    year = sum(number for month, number in arrivals.items() if month.startswith("2020"))
    assert year / 226 == pytest.approx(12, rel=0.03)


def test_the_permits_come_sooner() -> None:
    """Licensed but not operating: before the reform, and with all permits in four modes."""
    days = monthly("working_days_median", "not_operating")
    assert days["2017-05"] > 12
    assert days["2020-03"] < 3


@pytest.mark.long
def test_both_engines_agree_on_six_years() -> None:
    compare_engines(plan(), 1, 0)
