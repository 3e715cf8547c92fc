"""Which metrics lead a report: the usual handful, or those that were named."""

from typing import Any

import pandas as pd
import pytest
from halls import case_type, hall, pool

from sim.chosen_metrics import Choice, choose
from sim.errors import ScenarioError
from sim.loading import Loaded
from sim.scenario import Scenario
from sim.sources import load_all

SERVE: dict[str, Any] = {"serve": {"pool": "windows", "service": "10 min"}}
DATA = hall(
    {
        "case": case_type(SERVE, attributes={"channel": {"counter": "50 %", "online": "50 %"}}),
        "errand": case_type(SERVE),
    },
    {"windows": pool()},
    promises={"time": {"case_types": "case", "within": "1 h"}},
)


@pytest.fixture(scope="module")
def scenarios() -> dict[str, Loaded]:
    return load_all({"old": Scenario.model_validate(DATA)})


def table(*rows: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["metric", "subject", "value"])


def test_a_handful_leads_and_of_case_types_those_that_are_promised_something(
    scenarios: dict[str, Loaded],
) -> None:
    rows = [
        ("working_days_median", "time"),
        ("working_days_mean", "time"),
        ("utilisation", "windows"),
        ("visits_mean", "case"),
        ("visits_mean", "errand"),
        ("visits_mean", "hall"),
        ("arrivals", "hall"),
    ]
    found = Choice().keys(table(*((*row, 1.0) for row in rows)), scenarios)
    assert found == [rows[0], rows[2], rows[3], rows[5]]


def test_being_sent_away_leads_where_it_happened_once(scenarios: dict[str, Loaded]) -> None:
    """In one replication of two; unless other metrics are named."""
    rows = table(
        ("turned_away", "windows", 0),
        ("turned_away", "hall", 0),
        ("turned_away", "windows", 3),
        ("reneged", "windows", 0),
    )
    assert Choice().keys(rows, scenarios) == [("turned_away", "windows")]
    assert Choice(("reneged",)).keys(rows, scenarios) == [("reneged", "windows")]


def test_named_metrics_lead_in_the_order_of_the_table(scenarios: dict[str, Loaded]) -> None:
    rows = table(
        ("utilisation", "windows", 1),
        ("waiting_time_p90", "windows", 1),
        ("waiting_time_p90", "online", 1),
        ("visits_mean", "hall", 1),
    )
    keys = [("utilisation", "windows"), ("waiting_time_p90", "online")]
    choice = choose(["waiting_time_p90:online", "utilisation"], scenarios)
    assert choice.keys(rows, scenarios) == keys
    assert len(choose(["all"], scenarios).keys(rows, scenarios)) == 4


def test_a_metric_can_be_of_what_any_of_the_scenarios_has(scenarios: dict[str, Loaded]) -> None:
    more = Scenario.model_validate(DATA | {"pools": {"windows": pool(), "spare": pool()}})
    both = scenarios | load_all({"new": more})
    named = ["utilisation:spare", "visits_mean:errand", "waiting_time_mean:online", "lost:hall"]
    assert choose(named, both).named == tuple(named)


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("waiting_time", "no metric 'waiting_time'. Did you mean 'waiting_time_"),
        ("al", "no metric 'al'. Did you mean 'all'? Metrics: working_days_mean, "),
        ("", "no metric ''. Metrics: "),
        ("all:hall", "no metric 'all'. Did you mean 'all'? "),
        ("utilisation:", "no pool ''. Pools: windows"),
        ("utilisation:window", "no pool 'window'. Did you mean 'windows'? Pools: windows"),
        ("waiting_time_mean:post", "no pool or channel 'post'. Names: windows, counter, online"),
        ("visits_mean:windows", "no case type or hall 'windows'."),
    ],
)
def test_what_there_is_none_of_is_refused(
    scenarios: dict[str, Loaded], named: str, message: str
) -> None:
    with pytest.raises(ScenarioError) as caught:
        choose([named, "arrivals", "lots"], scenarios)
    first, second = caught.value.problems
    assert str(first.mark) == f"--metric {named}"
    assert first.message.startswith(message)
    assert second.message.startswith("no metric 'lots'. Did you mean 'lost'?")
