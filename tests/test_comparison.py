"""Paired differences, and published figures beside simulated ones."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sim.comparison import (
    estimates_table,
    paired_differences,
    published_table,
    unit_of,
    verdict,
)
from sim.loading import load_document

NAN = math.nan
WAITING = ("waiting_time_mean", "windows", "min")


def metrics(values: dict[str, list[float]], key: tuple[str, str, str] = WAITING) -> pd.DataFrame:
    """One metric, by scenario and replication."""
    return pd.DataFrame(
        [(name, n, *key, v) for name, column in values.items() for n, v in enumerate(column)],
        columns=["scenario", "replication", "metric", "subject", "unit", "value"],
    )


def only_row(table: pd.DataFrame) -> dict[str, object]:
    [row] = table.to_dict("records")
    return {str(key): value for key, value in row.items()}


def test_a_difference_computed_by_hand() -> None:
    """Differences are -1, -2, -3: mean -2, half-width 4.303 x 1 / sqrt(3)."""
    row = only_row(paired_differences(metrics({"old": [10, 20, 30], "new": [9, 18, 27]}), "old"))
    assert row["reference"] == "old"
    assert row["scenario"] == "new"
    assert (row["reference_mean"], row["scenario_mean"]) == (20, 18)
    assert row["difference"] == -2
    assert row["low"] == pytest.approx(-2 - 4.30265 / math.sqrt(3), abs=1e-4)
    assert row["replications"] == 3
    # Variances 100 and 81 unpaired, 1 paired.
    assert row["gain_from_pairing"] == pytest.approx(181)


def test_the_interval_is_that_of_the_paired_t_test() -> None:
    rng = np.random.default_rng(4)
    luck = rng.normal(0, 3, 40)
    old, new = 10 + luck + rng.normal(0, 1, 40), 8 + luck + rng.normal(0, 1, 40)
    row = only_row(paired_differences(metrics({"old": list(old), "new": list(new)}), "old"))
    theirs = stats.ttest_rel(new, old).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((theirs.low, theirs.high))


def test_pairs_are_replications_whatever_the_order_of_the_rows() -> None:
    table = metrics({"old": [10, 20, 30], "new": [9, 18, 27]})
    mixed = table.iloc[::-1]
    assert (
        only_row(paired_differences(mixed, "old"))["low"]
        == only_row(paired_differences(table, "old"))["low"]
    )


def test_a_replication_without_a_value_in_one_scenario_leaves_the_pair_out() -> None:
    row = only_row(paired_differences(metrics({"old": [1, NAN, 5], "new": [2, 7, 7]}), "old"))
    assert row["replications"] == 2
    assert row["difference"] == 1.5
    assert row["reference_mean"] == 3


def test_only_what_both_scenarios_have_is_compared() -> None:
    both = metrics({"old": [1, 2], "new": [2, 4]})
    tables = [both, metrics({"old": [1, 2]}, ("utilisation", "trays", "share"))]
    assert len(paired_differences(pd.concat(tables), "old")) == 1


def test_every_scenario_is_compared_with_the_reference() -> None:
    table = metrics({"a": [1, 2], "b": [2, 3], "c": [5, 5]})
    found = paired_differences(table, "b")
    assert list(found["scenario"]) == ["a", "c"]
    assert list(found["difference"]) == [-1, 2.5]


def test_the_gain_of_a_constant_difference_is_infinite() -> None:
    row = only_row(paired_differences(metrics({"old": [1, 2], "new": [2, 3]}), "old"))
    assert (row["low"], row["high"]) == (1, 1)
    assert row["gain_from_pairing"] == math.inf


def test_the_gain_where_nothing_varies_is_no_number() -> None:
    row = only_row(paired_differences(metrics({"old": [1, 1], "new": [2, 2]}), "old"))
    assert math.isnan(float(str(row["gain_from_pairing"])))


def test_one_replication_gives_a_difference_without_an_interval() -> None:
    row = only_row(paired_differences(metrics({"old": [1], "new": [3]}), "old"))
    assert row["difference"] == 2
    assert math.isnan(float(str(row["low"])))


def test_a_reference_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="no scenario 'x'; scenarios: old, new"):
        paired_differences(metrics({"old": [1], "new": [3]}), "x")


def test_estimates_keep_the_order_of_the_metrics() -> None:
    other = metrics({"old": [0.5, 0.7]}, ("utilisation", "windows", "share"))
    found = estimates_table(pd.concat([metrics({"old": [1, 2, NAN]}), other]))
    assert list(found["metric"]) == ["waiting_time_mean", "utilisation"]
    assert list(found["mean"]) == pytest.approx([1.5, 0.6])
    assert list(found["replications"]) == [2, 2]


def test_shares_have_a_unit_that_does_not_say_per_cent() -> None:
    assert unit_of("utilisation") == "share"
    assert unit_of("waiting_time_mean") == "min"


@pytest.mark.parametrize(
    ("simulated", "relation", "published", "tolerance", "said"),
    [
        (5.0, "equals", 5.0, 0.0, "met"),
        (6.0, "equals", 5.0, 1.0, "within tolerance"),
        (4.0, "equals", 5.0, 1.0, "within tolerance"),
        (6.5, "equals", 5.0, 1.0, "missed by 1.5 working days"),
        (0.91, "at_least", 0.9, 0.0, "met"),
        (0.1 + 0.2, "at_most", 0.3, 0.0, "met"),
        (0.89, "at_least", 0.9, 0.02, "within tolerance"),
        (0.8, "at_least", 0.9, 0.0, "missed by 10 percentage points"),
        (2.0, "at_most", 3.0, 0.0, "met"),
        (3.5, "at_most", 3.0, 0.0, "missed by 0.5 working days"),
        (NAN, "equals", 5.0, 1.0, "no value"),
    ],
)
def test_verdicts(
    simulated: float, relation: str, published: float, tolerance: float, said: str
) -> None:
    unit = "share" if published < 1 else "working days"
    assert verdict(simulated, relation, published, tolerance, unit) == said


def test_published_figures_stand_beside_simulated_ones_with_their_source(tmp_path: Path) -> None:
    (tmp_path / "hall.yaml").write_text(
        """
calendar: always
hours: {day: ["09:00-12:00"]}
working_hours: day
horizon: {from: 2020-01-01, to: 1 working day}
pools: {windows: {shifts: {day: {servers: 1}}}}
case_types:
  case:
    arrivals: {recorded: ["2020-01-01 09:00"]}
    activities: {serve: {pool: windows, service: 5 min}}
published:
  wait:
    source: stated by the yearbook, table 4
    label: Waiting
    metric: waiting_time_mean
    subject: windows
    at_most: 2
    tolerance: 1
  busy: {metric: utilisation, subject: windows, equals: 90 %}
""",
        encoding="utf-8",
    )
    scenarios = {"hall": load_document(tmp_path / "hall.yaml")}
    wait, busy = published_table(scenarios, metrics({"hall": [2, 3]})).to_dict("records")
    assert (wait["id"], wait["label"], wait["relation"]) == ("wait", "Waiting", "at_most")
    assert (wait["published"], wait["simulated"], wait["distance"]) == (2, 2.5, 0.5)
    assert wait["low"] < 2.5 < wait["high"]
    assert wait["verdict"] == "within tolerance"
    assert wait["source"] == "stated by the yearbook, table 4"
    assert (busy["label"], busy["unit"], busy["published"]) == ("busy", "share", 0.9)
    assert (busy["verdict"], busy["source"]) == ("no value", "")
    wait, _ = published_table(scenarios, metrics({"hall": [2, NAN, 2]})).to_dict("records")
    assert wait["verdict"] == "no value in 1 of 3 replications"
