"""Every metric on a timeline that can be checked by hand."""

import math
from typing import Any

import numpy as np
import pytest
from halls import CATALOGUE, OVERLOADED, Data, Run, case_type, hall, one_pool, pool, run, shifts
from scipy.stats import CensoredData, ecdf

from sim.lifetimes import Lifetimes
from sim.metric_definitions import HALL, METRICS
from sim.metrics import Measures, measure
from sim.pool_hours import HALF_HOUR
from sim.timeline import DAY, NEVER


def measured(data: Data) -> Measures:
    """The metrics of a run in which every law holds."""
    made: Run = run(data)
    return measure(made.plan, made.workload, made.log)


def values(data: Data, subject: str) -> dict[str, float]:
    """The metrics of one subject."""
    return {metric: v for (metric, of), v in measured(data).values.items() if of == subject}


def promised(within: str = "1 working day", **more: Any) -> Data:
    """A promise called `time`."""
    return {"time": {"case_types": "case", "within": within, **more}}


FOUR_AT_NINE = one_pool(["09:00"] * 4, "30 min", open=["09:00-11:00"])
"""One window for two hours: served at 09:00, 09:30, 10:00 and 10:30."""


# --- definitions ---------------------------------------------------------------------------------


def test_every_metric_is_measured_of_every_kind_of_subject_and_nothing_else_is() -> None:
    data = one_pool(["09:00"], "10 min", promises=promised())
    data["case_types"]["case"]["attributes"] = {"channel": {"counter": "100 %"}}
    subjects = {
        "promise": "time",
        "pool": "windows",
        "channel": "counter",
        "case_type": "case",
        "stock": "filed",
        "hall": HALL,
    }
    data["stocks"] = {
        "filed": {"known": 3, "known_on": "2019-12-31", "gains": [{"case_types": "case"}]},
    }
    data["stocks"]["filed"]["share_of"] = "filed"
    wanted = {(name, subjects[of]) for name, metric in METRICS.items() for of in metric.subjects}
    assert set(measured(data).values) == wanted


def test_a_share_lies_between_0_and_1() -> None:
    found = measured(FOUR_AT_NINE).values
    shares = [v for (name, _), v in found.items() if METRICS[name].is_share and not math.isnan(v)]
    assert len(shares) > 5
    assert all(0 <= share <= 1 for share in shares)


def test_nobody_comes() -> None:
    """Counts are 0, and what would be a mean of nothing is NaN."""
    data = one_pool({"per_hour": 0}, "10 min", promises=promised())
    found = measured(data)
    assert found.values["arrivals", HALL] == 0
    assert found.values["utilisation", "windows"] == 0
    assert found.values["throughput_per_day", HALL] == 0
    for metric, subject in (
        ("waiting_time_mean", "windows"),
        ("waiting_time_p90", "windows"),
        ("waiting_over_10_min", "windows"),
        ("visits_mean", HALL),
        ("working_days_median", "time"),
        ("on_time_share", "time"),
        ("unfinished_share", "time"),
    ):
        assert math.isnan(found.values[metric, subject]), metric
    assert found.lead_times == {"time": [], "unit": [], "lead_time": [], "share": []}
    assert found.visits == {"case_type": [], "visits": [], "share": []}


def test_the_outcome_is_all_that_metrics_need() -> None:
    """Without the log they are the same, tables and all."""
    data = one_pool(
        {"per_hour": 9},
        {"exponential": {"mean": "12 min"}},
        activity={"patience": "20 min", "again": {"probability": "20 %"}, "milestone": "served"},
        open=["09:00-12:00", "13:00-17:00"],
        days=3,
        promises=promised(to="served"),
    )
    made = run(data)
    by_log = measure(made.plan, made.workload, made.log)
    by_outcome = measure(made.plan, made.workload, made.outcome)
    assert by_outcome.values.keys() == by_log.values.keys()
    assert list(by_outcome.values.values()) == pytest.approx(
        list(by_log.values.values()), rel=0, abs=0, nan_ok=True
    )
    assert len(by_log.lead_times["share"]) > 1
    for table in ("lead_times", "half_hours", "visits"):
        assert str(getattr(by_outcome, table)) == str(getattr(by_log, table))


# --- pools ---------------------------------------------------------------------------------------


def test_one_clerk_who_is_always_busy_has_utilisation_1() -> None:
    found = values(FOUR_AT_NINE, "windows")
    assert found["utilisation"] == 1
    assert found["overtime_hours"] == 0


def test_utilisation_is_service_over_time_on_shift() -> None:
    """One hour of service; two windows for two hours and one for four: one of eight hours."""
    data = hall(
        {"case": case_type({"serve": {"pool": "windows", "service": "1 h"}})},
        {"windows": shifts({"early": (2, "early"), "all": (1, None)})},
        open=["09:00-13:00"],
        hours={"early": ["09:00-11:00"]},
    )
    assert values(data, "windows")["utilisation"] == 1 / 8


def test_a_pool_that_is_never_open_has_no_utilisation() -> None:
    never = {"never": [{"sessions": []}]}
    data = hall(
        {"case": case_type({"serve": {"pool": "windows", "service": "10 min"}})},
        {"windows": pool(1, "never", at_closing="wait")},
        hours=never,
    )
    found = values(data, "windows")
    assert math.isnan(found["utilisation"])
    assert math.isnan(found["queue_length_mean"])


def test_waiting_times_of_a_queue() -> None:
    """Waits are 0, 30, 60 and 90 min; 30 min are not over 30 min."""
    found = values(FOUR_AT_NINE, "windows")
    assert found["waiting_time_mean"] == 45
    assert found["waiting_time_p90"] == 90
    assert found["waiting_over_10_min"] == 0.75
    assert found["waiting_over_15_min"] == 0.75
    assert found["waiting_over_30_min"] == 0.5


def test_queue_lengths() -> None:
    """3, 2, 1 and 0 wait in the four half-hours."""
    found = values(FOUR_AT_NINE, "windows")
    assert found["queue_length_mean"] == 1.5
    assert found["queue_length_max"] == 3


def test_a_queue_of_one_after_the_other_is_never_two_long() -> None:
    """At 09:30 the second begins and the third joins: one waits, not two."""
    data = one_pool(["09:00", "09:00", "09:30"], "30 min", open=["09:00-11:00"])
    assert values(data, "windows")["queue_length_max"] == 1


def test_a_queue_that_stands_when_the_warm_up_ends_counts_in_full() -> None:
    """Three wait over midnight, and leave one by one."""
    data = one_pool(
        ["09:00"] * 4,
        "1 h",
        open=["09:00-10:00"],
        rules={"at_closing": "wait"},
        in_person=False,
        horizon={"from": "2020-01-02", "to": "2020-01-05", "warm_up": "2020-01-01"},
    )
    assert values(data, "windows")["queue_length_max"] == 3


def test_work_after_closing_is_overtime_and_no_utilisation() -> None:
    """Served 09:00-09:45 and 09:45-10:30, the last half-hour after closing; on one of two days."""
    data = one_pool(["09:00", "09:30"], "45 min", open=["09:00-10:00"], days=2)
    found = values(data, "windows")
    assert found["utilisation"] == 0.5
    assert found["overtime_hours"] == 0.25
    assert values(data, HALL)["overtime_hours"] == 0.25


def test_a_paused_service_is_no_overtime() -> None:
    """Half an hour on the first day, half an hour on the second: 1 of 2 hours."""
    data = one_pool(
        ["09:30"],
        "1 h",
        open=["09:00-10:00"],
        rules={"at_shift_end": "pause", "at_closing": "wait"},
        days=2,
    )
    found = values(data, "windows")
    assert found["utilisation"] == 0.5
    assert found["overtime_hours"] == 0


def test_overtime_at_the_end_of_the_horizon_is_cut_there() -> None:
    data = one_pool(["23:30"], "2 h", open=["00:00-23:45"], days=1)
    assert values(data, "windows")["overtime_hours"] == 0.25


def test_a_service_of_the_second_choice_counts_for_the_pool_that_serves() -> None:
    """The first window is taken, so that the second case goes to the spare one at once."""
    data = hall(
        {
            "case": case_type(
                {"serve": {"pool": ["main", "spare"], "service": "1 h"}}, ["09:00"] * 2
            )
        },
        {"main": pool(), "spare": pool()},
        open=["09:00-11:00"],
    )
    found = measured(data).values
    assert found["utilisation", "main"] == found["utilisation", "spare"] == 0.5
    assert found["waiting_time_mean", "spare"] == 0


def test_the_table_by_half_hour() -> None:
    table = measured(FOUR_AT_NINE).half_hours
    assert table["pool"] == ["windows"] * 4
    assert table["half_hour"] == [h * HALF_HOUR for h in (18, 19, 20, 21)]
    assert table["utilisation"] == [1, 1, 1, 1]
    waited = table["waiting_time_mean"]
    assert waited[0] == 45 * 60  # of those who came in it
    assert all(math.isnan(w) for w in waited[1:])  # type: ignore[arg-type]
    assert table["queue_length_mean"] == [3, 2, 1, 0]
    assert table["queue_length_p50"] == [3, 2, 1, 0]


def test_queue_lengths_by_half_hour_are_over_days() -> None:
    """4 come on the first day, 2 on the second, none on the third: 3, 1 and 0 wait at 09:00."""
    days = [*["09:00"] * 4, *["+1 09:00"] * 2]
    table = measured(one_pool(days, "30 min", open=["09:00-11:00"], days=3)).half_hours
    assert table["queue_length_mean"][0] == pytest.approx(4 / 3)  # type: ignore[call-overload]
    assert table["queue_length_p50"][0] == 1
    assert table["queue_length_p90"][0] == pytest.approx(2.6)
    assert table["utilisation"][0] == pytest.approx(2 / 3)


def test_a_half_hour_that_is_open_on_some_days_counts_those() -> None:
    data = one_pool(
        ["09:00"],
        "30 min",
        open=["00:00-24:00"],
        days=5,
    )
    data["hours"]["part"] = [
        {"sessions": ["09:00-09:30"]},
        {"sessions": [], "from": "2020-01-02"},
    ]
    data["pools"] = {"windows": pool(1, "part")}
    assert measured(data).half_hours["utilisation"] == [1]


def test_turned_away_and_reneged() -> None:
    """A room for one: the third is sent away; the second loses patience after 10 min."""
    data = one_pool(
        ["09:00", "09:01", "09:02"],
        "1 h",
        rules={"room": 1},
        activity={"patience": "10 min", "if_not_served": "lost"},
        open=["09:00-11:00"],
    )
    for subject in ("windows", HALL):
        found = values(data, subject)
        assert (found["turned_away"], found["reneged"]) == (1, 1)
    assert values(data, HALL)["lost"] == 2


def test_who_is_turned_away_has_no_waiting_time() -> None:
    data = one_pool(
        ["09:00", "09:15"],
        "1 h",
        rules={"at_closing": "turn_away"},
        activity={"if_not_served": "lost"},
        open=["09:00-10:00"],
    )
    assert values(data, "windows")["waiting_time_mean"] == 0


def test_waiting_by_channel() -> None:
    """The recorded channels wait 0 and 60, and 30 min."""
    recorded = {
        "arrived_at": ["2020-01-01 09:00", "2020-01-01 09:00", "2020-01-01 09:00"],
        "channel": ["counter", "online", "counter"],
    }
    data = one_pool({"recorded": recorded}, "30 min")
    data["case_types"]["case"]["attributes"] = {"channel": {"counter": "50 %", "online": "50 %"}}
    assert values(data, "counter")["waiting_time_mean"] == 30
    assert values(data, "online")["waiting_time_mean"] == 30
    assert values(data, "counter")["waiting_time_p90"] == 60


def test_what_happens_in_the_warm_up_does_not_count() -> None:
    """One case on the first day, which is warm-up, and two on the second."""
    data = one_pool(
        ["09:00", "+1 09:00", "+1 09:00"],
        "1 h",
        open=["09:00-11:00"],
        horizon={"from": "2020-01-02", "to": "2020-01-02", "warm_up": "2020-01-01"},
    )
    found = values(data, HALL)
    assert found["arrivals"] == found["finished"] == found["throughput_per_day"] == 2
    assert values(data, "windows")["utilisation"] == 1
    assert values(data, "windows")["waiting_time_mean"] == 30


def test_throughput_counts_who_leaves_in_the_measured_part_whenever_they_came() -> None:
    """The first comes in the evening of the warm-up and leaves after midnight."""
    data = one_pool(
        ["23:30", "+1 09:00"],
        "1 h",
        horizon={"from": "2020-01-02", "to": "2020-01-02", "warm_up": "2020-01-01"},
    )
    found = values(data, HALL)
    assert (found["throughput_per_day"], found["arrivals"], found["finished"]) == (2, 1, 1)


# --- times between milestones --------------------------------------------------------------------


def three_hours(at: str, within: str = "1 working day") -> Data:
    """One case takes three hours; the hall is open 09:00-12:00 and 14:00-18:00."""
    return hall(
        {"case": case_type({"wait": {"delay": "3 h"}}, [at])},
        open=["09:00-12:00", "14:00-18:00"],
        days=2,
        promises=promised(within),
    )


def test_the_three_clocks() -> None:
    """From 11:00 to 14:00: three hours, of which one is open, on one day."""
    found = values(three_hours("11:00"), "time")
    for statistic in ("mean", "median", "p90", "p95"):
        assert found[f"elapsed_hours_{statistic}"] == 3
        assert found[f"working_hours_{statistic}"] == 1
        assert found[f"working_days_{statistic}"] == 0


def test_the_day_of_acceptance_is_day_0() -> None:
    """From 22:00 to 01:00: one day is counted, and no hour is open."""
    found = values(three_hours("22:00"), "time")
    assert found["working_days_mean"] == 1
    assert found["working_hours_mean"] == 0
    assert found["elapsed_hours_mean"] == 3


@pytest.mark.parametrize(
    ("within", "share"),
    [
        ("3 h", 1),
        ("179 min", 0),
        ("1 working h", 1),
        ("59 working min", 0),
        ("same day", 1),
    ],
)
def test_the_on_time_share_is_on_the_clock_of_the_promise(within: str, share: float) -> None:
    """A time that is just as long as promised is within the promise."""
    assert values(three_hours("11:00", within), "time")["on_time_share"] == share


def working_days_of(*days: int) -> Data:
    """One case for each entry takes so many working days; the horizon has ten."""
    activities = {
        f"wait_{n}": {"delay": f"{n} working days", "when": {"kind": f"k{n}"}} for n in set(days)
    }
    kinds = {f"k{n}": days.count(n) / len(days) for n in set(days)}
    recorded = {
        "arrived_at": ["2020-01-01 10:00"] * len(days),
        "kind": [f"k{n}" for n in days],
    }
    case = case_type(activities, {"recorded": recorded}, attributes={"kind": kinds})
    return hall({"case": case}, days=10, promises=promised("3 working days"))


def test_quantiles_are_times_that_were_seen() -> None:
    """Of 1, 2, ..., 8 and 9 working days half are within 5, 90 % within 9."""
    found = values(working_days_of(1, 2, 3, 4, 5, 6, 7, 8, 9), "time")
    assert found["working_days_mean"] == pytest.approx(5)
    assert found["working_days_median"] == 5
    assert found["working_days_p90"] == 9
    assert found["on_time_share"] == pytest.approx(3 / 9)
    assert found["unfinished_share"] == 0


def test_unfinished_cases_count_as_taking_longer() -> None:
    """Two take 1 day, one 4; the fourth takes 20 and is seen for 9: no 90 % were seen."""
    found = values(working_days_of(1, 1, 4, 20), "time")
    assert found["unfinished_share"] == 0.25
    assert found["working_days_median"] == 1
    assert math.isnan(found["working_days_p90"])
    assert found["on_time_share"] == 0.5
    assert found["working_days_mean"] == pytest.approx((1 + 1 + 4 + 9) / 4)


def test_the_table_of_lead_times() -> None:
    table = measured(working_days_of(1, 1, 4, 20)).lead_times
    assert table["time"] == ["time"] * 3
    assert table["unit"] == ["working days"] * 3
    assert table["lead_time"] == [1, 4, 9]
    assert table["share"] == pytest.approx([0.5, 0.75, 0.75])


@pytest.mark.parametrize(
    ("within", "unit", "lead_time"),
    [
        ("180 min", "h", 3),
        ("2 calendar days", "h", 3),
        ("90 working min", "working h", 1),
        ("same day", "working days", 0),
    ],
)
def test_lead_times_are_on_the_clock_of_the_promise(
    within: str, unit: str, lead_time: float
) -> None:
    table = measured(three_hours("11:00", within)).lead_times
    assert table == {"time": ["time"], "unit": [unit], "lead_time": [lead_time], "share": [1.0]}


def test_a_long_distribution_is_thinned_and_exact_at_the_limit() -> None:
    """1,000 times of which the last 100 have not ended: the first time that each share takes."""
    times = Lifetimes(np.arange(1, 1001) / 7, np.arange(1000) < 900)
    values, shares = times.steps(10, limit=777 / 7)
    assert values * 7 == pytest.approx([100, 200, 300, 400, 500, 600, 700, 777, 800, 900, 1000])
    assert shares == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.777, 0.8, 0.9, 0.9])
    few = Lifetimes(np.arange(5.0), np.ones(5, dtype=bool))
    assert list(few.steps(10, limit=2)[0]) == [0, 1, 2, 3, 4]


def test_a_promise_between_two_milestones() -> None:
    data = hall(
        {
            "case": case_type(
                {
                    "accept": {"delay": "1 h", "milestone": "accepted"},
                    "review": {"after": "accept", "delay": "2 h", "milestone": "reviewed"},
                    "send": {"after": "review", "delay": "4 h"},
                }
            )
        },
        promises=promised(**{"from": "accepted", "to": "reviewed"}),
    )
    assert values(data, "time")["elapsed_hours_mean"] == 2


def test_a_clock_that_has_not_started_does_not_count() -> None:
    """The second case comes five minutes before midnight and is never accepted."""
    data = hall(
        {
            "case": case_type(
                {
                    "accept": {"delay": "1 h", "milestone": "accepted"},
                    "review": {"after": "accept", "delay": "2 h"},
                },
                ["09:00", "23:55"],
            )
        },
        promises=promised(**{"from": "accepted"}),
    )
    found = values(data, "time")
    assert found["elapsed_hours_mean"] == 2
    assert found["unfinished_share"] == 0


def test_who_does_not_pass_a_milestone_has_no_time_to_it() -> None:
    """Half of the cases never go to the activity that marks it, and are finished."""
    recorded = {"arrived_at": ["2020-01-01 09:00"] * 2, "kind": ["a", "b"]}
    case = case_type(
        {
            "wait": {"delay": "1 h"},
            "open": {
                "after": "wait",
                "delay": "1 h",
                "milestone": "opened",
                "when": {"kind": "a"},
            },
        },
        {"recorded": recorded},
        attributes={"kind": {"a": "50 %", "b": "50 %"}},
    )
    found = values(hall({"case": case}, promises=promised(to="opened")), "time")
    assert found["elapsed_hours_mean"] == 2
    assert found["unfinished_share"] == 0


def test_the_last_visit_marks_a_milestone_and_first_pass_means_nothing_was_sent_back() -> None:
    """Nine of ten are sent back. 3600 cases, fixed seed; 1 of 1000 others would fail."""
    data = hall(
        {
            "case": case_type(
                {
                    "review": {
                        "delay": "1 h",
                        "milestone": "reviewed",
                        "again": {"probability": "90 %"},
                    }
                },
                {"per_hour": 50},
            )
        },
        days=3,
        promises=promised(to="reviewed"),
    )
    found = measured(data).values
    assert found["first_pass_share", HALL] == pytest.approx(0.1, abs=0.02)
    # Geometric: the mean number of rounds is 10; some are unfinished at the end.
    assert found["elapsed_hours_mean", "time"] == pytest.approx(10, rel=0.1)


def test_a_promise_of_a_batch_lasts_from_its_first_beginning_to_its_last_end() -> None:
    """Three come together and are served one after the other."""
    data = one_pool(
        {"every": "1 working day", "at": "10:00", "batch": 3},
        "20 min",
        days=2,
        open=["09:00-12:00"],
        promises=promised("60 min", per="batch"),
    )
    found = values(data, "time")
    assert found["elapsed_hours_mean"] == 1
    assert found["on_time_share"] == 1
    assert values(data, "case")["arrivals"] == 6


def test_cases_without_a_batch_are_batches_of_one() -> None:
    data = one_pool(["09:00", "10:00"], "20 min", promises=promised("30 min", per="batch"))
    found = values(data, "time")
    assert found["on_time_share"] == 1
    assert found["elapsed_hours_mean"] == pytest.approx(1 / 3)


def test_a_batch_that_loses_somebody_is_never_done() -> None:
    """One is served and one finds no room: nobody can say that the two were done in time."""
    data = one_pool(
        {"every": "1 working day", "at": "10:00", "batch": 2},
        "20 min",
        rules={"room": 0},
        activity={"if_not_served": "lost"},
        promises=promised("60 min", per="batch"),
    )
    assert values(data, "case")["lost"] == 1
    assert np.isnan(values(data, "time")["on_time_share"])


def test_only_cases_that_pass_the_milestone_have_business_with_a_promise() -> None:
    """One window, an hour each, four until the end: those of kind y never pass `marked`."""
    data = one_pool(
        {"recorded": {"arrived_at": ["2020-01-01 20:00"] * 6, "kind": list("xyxyxy")}},
        "1 h",
        promises=promised(to="marked"),
    )
    case = data["case_types"]["case"]
    case["attributes"] = {"kind": {"x": "50 %", "y": "50 %"}}
    case["activities"]["mark"] = {"after": "serve", "when": {"kind": "x"}, "milestone": "marked"}
    found = values(data, "time")
    assert found["unfinished_share"] == pytest.approx(1 / 3)
    assert found["elapsed_hours_median"] == 3


def test_lost_cases_have_no_times() -> None:
    data = one_pool(
        ["09:00", "09:10"],
        "1 h",
        activity={"patience": "10 min", "if_not_served": "lost"},
        promises=promised(),
    )
    found = values(data, "time")
    assert found["elapsed_hours_mean"] == 1
    assert found["unfinished_share"] == 0
    assert found["lost_share"] == 0.5
    assert found["promised_cases"] == 1


# --- cases ---------------------------------------------------------------------------------------


def test_cases_are_finished_in_progress_or_lost() -> None:
    """The first is served, the second leaves, the third comes too late in the evening."""
    data = one_pool(
        ["09:00", "09:10", "23:30"],
        "1 h",
        activity={"patience": "10 min", "if_not_served": "lost"},
    )
    for subject in ("case", HALL):
        found = values(data, subject)
        counts = [found[name] for name in ("arrivals", "finished", "lost", "in_progress")]
        assert counts == [3, 1, 1, 1]
        assert found["throughput_per_day"] == 1


def test_the_backlog_grows_by_what_comes_and_is_not_done() -> None:
    """A case every 10 minutes, 15 minutes each: 144 come in a day and 96 are done, from day 1 on.

    The warm-up of two days leaves a backlog, which is no part of the growth.
    """
    found = values(OVERLOADED, HALL)
    assert found["backlog_growth"] == 144 - 96
    assert found["backlog_growth"] == values(OVERLOADED, "case")["backlog_growth"]
    assert found["in_progress"] > 3 * 48


def test_a_backlog_may_shrink() -> None:
    """Two of the four who come on the first day, in the warm-up, are done on the second."""
    data = one_pool(
        ["21:00"] * 4,
        "100 min",
        open=["21:00-24:00"],
        rules={"at_closing": "wait", "at_shift_end": "pause"},
        horizon={"from": "2020-01-02", "to": "1 working day", "warm_up": "1 working day"},
    )
    assert values(data, HALL)["backlog_growth"] == -2


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_growth_of_the_backlog_is_a_count_of_cases(name: str) -> None:
    """Case by case: there at the end, or at the beginning of the measured part."""
    made = run(CATALOGUE[name])
    plan, cases = made.plan, made.cases
    days = plan.days.dates * DAY >= plan.measured_from_at
    growth: dict[str, int] = dict.fromkeys(["hall", *(t.name for t in plan.case_types)], 0)
    for case in range(made.workload.num_cases):
        gone_at = min(cases.departed_at[case], cases.lost_at[case])
        was_there = cases.arrived_at[case] < plan.measured_from_at <= gone_at
        for subject in ("hall", plan.case_types[made.workload.case_type[case]].name):
            growth[subject] += int(gone_at == NEVER) - int(was_there)
    found = measure(plan, made.workload, made.log).values
    for subject, number in growth.items():
        expected = number / days.sum() if days.any() else math.nan
        assert found["backlog_growth", subject] == pytest.approx(expected, nan_ok=True)


def test_visits_and_documents() -> None:
    """Online cases never come; the others come to file, and half of them once more to collect."""
    recorded = {
        "arrived_at": [f"2020-01-01 {h:02}:00" for h in (9, 10, 11, 12)],
        "way": ["online", "counter", "counter", "both"],
    }
    at_counter = {"way": ["counter", "both"]}
    case = case_type(
        {
            "file": {"trip": "file", "delay": "5 min", "documents": 3, "when": at_counter},
            "review": {"after": "file", "delay": "5 min", "documents": 1},
            "collect": {
                "trip": "collect",
                "after": "review",
                "delay": "1 min",
                "when": {"way": "both"},
            },
        },
        {"recorded": recorded},
        attributes={"way": {"online": "25 %", "counter": "50 %", "both": "25 %"}},
    )
    data = hall({"case": case}, trips={"file": {}, "collect": {}}, days=3)
    found = values(data, "case")
    assert found["visits_mean"] == 1
    assert found["visits_median"] == 1
    shares = [found[f"{name}_share"] for name in ("no_visit", "one_visit", "more_visits")]
    assert shares == [0.25, 0.5, 0.25]
    assert found["documents_mean"] == (1 + 4 + 4 + 4) / 4
    assert found["first_pass_share"] == 1
    assert measured(data).visits == {
        "case_type": ["case"] * 3,
        "visits": [0, 1, 2],
        "share": [0.25, 0.5, 0.25],
    }


# --- lifetimes -----------------------------------------------------------------------------------


def lifetimes(complete: list[float], censored: list[float]) -> Lifetimes:
    times = np.array([*complete, *censored])
    return Lifetimes(times, np.arange(len(times)) < len(complete))


def test_the_example_of_kaplan_and_meier() -> None:
    """Their section 2: deaths at 0.8, 3.1, 5.4 and 9.2, losses at 1.0, 2.7, 7.0 and 12.1 months."""
    found = lifetimes([0.8, 3.1, 5.4, 9.2], [1.0, 2.7, 7.0, 12.1])
    for time, survival in ((0.8, 0.875), (3.1, 0.7), (5.4, 0.525), (9.2, 0.2625)):
        assert 1 - found.share_within(time) == pytest.approx(survival)
    assert found.share_within(0.79) == 0
    assert found.quantile(0.5) == 9.2
    assert math.isnan(found.quantile(0.9))
    area = 0.8 + 2.3 * 0.875 + 2.3 * 0.7 + 3.8 * 0.525 + 2.9 * 0.2625
    assert found.mean() == pytest.approx(area)


def test_the_remission_times_of_freireich() -> None:
    """Weeks under 6-MP, in every textbook: the median is 23."""
    complete = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    found = lifetimes([float(t) for t in complete], [float(t) for t in censored])
    shown = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    for time, survival in shown.items():
        assert 1 - found.share_within(time) == pytest.approx(survival, abs=5e-4)
    assert found.quantile(0.5) == 23


def test_the_estimate_is_scipys() -> None:
    """Over 20 random samples; the seed is fixed."""
    rng = np.random.default_rng(5)
    for _ in range(20):
        times = rng.integers(0, 30, 60).astype(float)
        is_complete = rng.random(60) < 0.7
        found = Lifetimes(times, is_complete)
        sample = CensoredData(uncensored=times[is_complete], right=times[~is_complete])
        theirs = ecdf(sample).cdf.evaluate(found.values)
        assert found.shares == pytest.approx(theirs)


def test_without_unfinished_cases_it_is_the_empirical_distribution() -> None:
    times = [3.0, 1.0, 1.0, 7.0]
    found = lifetimes(times, [])
    assert found.mean() == pytest.approx(np.mean(times))
    assert [found.quantile(share) for share in (0.25, 0.5, 0.75, 1.0)] == [1, 1, 3, 7]


def test_rounding_moves_no_quantile() -> None:
    """Nine of ten are within 9 days, however 9/10 is rounded on the way there."""
    found = lifetimes([float(day) for day in range(1, 11)], [])
    assert [found.quantile(n / 10) for n in range(1, 11)] == list(range(1, 11))


def test_no_lifetimes() -> None:
    found = lifetimes([], [])
    assert math.isnan(found.mean())
    assert math.isnan(found.quantile(0.5))
    assert math.isnan(found.share_within(1))
