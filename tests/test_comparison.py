"""Paired differences, and published figures beside simulated ones."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sim.comparison import (
    estimates_table,
    headlines,
    paired_differences,
    published_table,
    reference_among,
    unit_of,
    verdict,
    with_joint_intervals,
)
from sim.errors import ScenarioError
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


def test_the_gain_from_pairing_is_the_ratio_of_variances() -> None:
    """Shared luck of variance 9, noise of 1 in each: (10 + 10) / (1 + 1)."""
    rng = np.random.default_rng(2)
    luck = rng.normal(0, 3, 4000)
    values = {name: list(luck + rng.normal(0, 1, 4000)) for name in ("old", "new")}
    row = only_row(paired_differences(metrics(values), "old"))
    assert row["gain_from_pairing"] == pytest.approx(10, rel=0.1)


def test_what_is_needed_is_told_where_scenarios_are_not_told_apart() -> None:
    rows = {"a": [0, 0, 0], "apart": [5, 6, 5], "not": [1, 1, -1], "same": [0, 0, 0]}
    found = paired_differences(metrics(rows), "a").set_index("scenario")["needed"]
    # Mean 1/3, deviation 1.155: for 49 values, t = 2.0106, and 2.0106 x 1.155 / 7 < 1/3.
    assert found["not"] == 49
    assert np.isnan(found[["apart", "same"]]).all()


# Intervals that hold together


def test_all_joint_intervals_hold_as_often_as_they_say() -> None:
    """4000 tables of 8 correlated normal differences: 95 % - 1 %; each by itself: less often."""
    rng = np.random.default_rng(6)
    keys = [(f"metric {n}", "hall") for n in range(8)]
    table = pd.DataFrame(keys, columns=["metric", "subject"])
    table = table.assign(difference=1.0, low=0.0, high=2.0, replications=6)
    # By how much they are wider depends on the numbers of replications and differences alone.
    wider = with_joint_intervals(table, keys)["joint_high"].to_numpy() - 1
    errors = rng.normal(size=(4000, 6, 8)) + rng.normal(size=(4000, 6, 1))
    widths = stats.t.ppf(0.975, 5) * errors.std(axis=1, ddof=1) / math.sqrt(6)
    misses = abs(errors.mean(axis=1))
    assert np.mean((misses <= wider * widths).all(axis=1)) >= 0.94
    assert np.mean((misses <= widths).all(axis=1)) < 0.85


def test_a_joint_interval_is_that_of_the_paired_t_test_at_its_confidence() -> None:
    """Three differences lead, of two metrics in two scenarios, one of them without an interval."""
    rng = np.random.default_rng(9)
    values = {name: list(rng.normal(size=7)) for name in ("a", "b", "c")}
    other = {"a": [1.0, 2.0], "b": [1.0, 2.5], "c": [3.0]}
    tables = [metrics(values), metrics(other, ("lost", "hall", "cases"))]
    tables.append(metrics(values, ("arrivals", "hall", "cases")))
    keys = [WAITING[:2], ("lost", "hall")]
    found = with_joint_intervals(paired_differences(pd.concat(tables), "a"), keys)
    rows = found[(found["metric"] == "waiting_time_mean") & (found["scenario"] == "c")]
    row = only_row(rows)
    theirs = stats.ttest_rel(values["c"], values["a"]).confidence_interval(1 - 0.05 / 3)
    assert (row["joint_low"], row["joint_high"]) == pytest.approx((theirs.low, theirs.high))
    assert found["joint_low"].notna().sum() == 3
    assert found.loc[found["metric"] == "arrivals", "joint_high"].isna().all()
    assert float(str(row["joint_needed"])) > float(str(row["needed"]))
    assert set(headlines(found, keys)["metric"]) == {"waiting_time_mean", "lost"}


def test_a_difference_that_leads_alone_has_its_own_interval() -> None:
    found = paired_differences(metrics({"old": [1, 2, 5], "new": [2, 4, 4]}), "old")
    row = only_row(with_joint_intervals(found, [WAITING[:2]]))
    assert (row["joint_low"], row["joint_high"]) == pytest.approx((row["low"], row["high"]))
    assert row["joint_needed"] == row["needed"]


def test_a_table_without_rows_has_joint_columns() -> None:
    found = with_joint_intervals(paired_differences(metrics({"old": [1, 2]}), "old"), [])
    assert found.empty
    assert "joint_low" in found.columns


def test_the_reference_is_the_first_scenario_unless_named() -> None:
    assert reference_among(None, ["old", "new"]) == "old"
    assert reference_among("new", ["old", "new"]) == "new"
    with pytest.raises(ScenarioError, match="--reference ne: no scenario 'ne'"):
        reference_among("ne", ["old", "new"])


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


PUBLISHED = """
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
"""


def test_published_figures_stand_beside_simulated_ones_with_their_source(tmp_path: Path) -> None:
    (tmp_path / "hall.yaml").write_text(PUBLISHED, encoding="utf-8")
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


@pytest.mark.parametrize(
    ("values", "kept", "trials"),
    [([2, 3, 3.5], 2, 3), ([4, 4], 0, 2), ([1, NAN, 2], 2, 2), ([NAN], 0, 0)],
)
def test_in_how_many_replications_a_figure_is_kept(
    tmp_path: Path, values: list[float], kept: int, trials: int
) -> None:
    """At most 2 min, with a tolerance of 1; Wilson's interval for the share."""
    (tmp_path / "hall.yaml").write_text(PUBLISHED, encoding="utf-8")
    scenarios = {"hall": load_document(tmp_path / "hall.yaml")}
    row = published_table(scenarios, metrics({"hall": values})).to_dict("records")[0]
    assert (row["kept"], row["replications"]) == (kept, trials)
    ends = (row["kept_low"], row["kept_high"])
    if trials:
        theirs = stats.binomtest(kept, trials).proportion_ci(method="wilson")
        assert ends == pytest.approx((theirs.low, theirs.high))
    else:
        assert np.isnan(ends).all()
