"""The workload: which draws there are, that they are shared, and that they have the right law.

Statistical tests have fixed seeds. Each says how often it would fail by chance with others.
"""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import numpy as np
import pytest
from halls import LUNCH, Data, Run, case_type, hall, one_pool, plan_of, pool, run
from scipy import stats

from sim.draws import draw_workload
from sim.plan import Plan
from sim.timeline import DAY, HOUR, NEVER
from sim.workload import Workload

EXPONENTIAL = {"exponential": {"mean": "12 min"}}


def visit(pools: str = "windows", service: Any = EXPONENTIAL, **more: Any) -> Data:
    return {"trip": "visit", "pool": pools, "service": service, **more}


def papers(pools: str = "office", service: Any = EXPONENTIAL, **more: Any) -> Data:
    return {"pool": pools, "service": service, **more}


def base() -> Data:
    """Two channels, rework, patience, trips, batches: every purpose of a draw."""
    company = case_type(
        {
            "file": visit(when={"channel": "counter"}, patience=EXPONENTIAL),
            "check": papers(after=["file"], again={"probability": "40 %", "from": ["file"]}),
            "visit": papers(after=["check"], delay=None) | {"delay": EXPONENTIAL},
            "fetch": visit(after=["visit"]) | {"trip": "fetch"},
        },
        {"per_hour": 3, "batch": {"1": "60 %", "4": "40 %"}},
        attributes={
            "channel": {"counter": "60 %", "online": "40 %"},
            "kind": {"new": "30 %", "old": "70 %"},
        },
    )
    del company["activities"]["visit"]["pool"], company["activities"]["visit"]["service"]
    enquiry = case_type({"ask": visit(service="5 min")}, {"per_hour": 6})
    return hall(
        {"company": company, "enquiry": enquiry},
        {"windows": pool(4), "office": pool(4)},
        open=LUNCH,
        trips={"visit": {}, "fetch": {"comes": "50 %"}},
        days=10,
    )


def drawn(data: Data, seed: int = 1, replication: int = 0) -> tuple[Plan, Workload]:
    plan = plan_of(data)
    return plan, draw_workload(plan, seed, replication)


def draws(plan: Plan, workload: Workload) -> dict[tuple, tuple]:
    """Every draw by names: (type, ordinal, activity, visit) to what was drawn for that step."""
    result: dict[tuple, tuple] = {}
    for step in range(workload.num_steps):
        case = int(workload.step_case[step])
        activity = plan.activities[workload.step_activity[step]]
        place = step - workload.first_step[case]
        visit = int(workload.itineraries[workload.itinerary[case]].visit[place])
        name = plan.case_types[workload.case_type[case]].name
        result[name, int(workload.ordinal[case]), activity.name, visit] = (
            int(workload.step_time[step]),
            int(workload.step_patience[step]),
            int(workload.step_come_day[step]),
            int(workload.step_come_time[step]),
        )
    return result


def cases(plan: Plan, workload: Workload) -> dict[tuple, tuple]:
    """What was drawn for each case as a whole."""
    return {
        (plan.case_types[workload.case_type[case]].name, int(workload.ordinal[case])): (
            int(workload.arrived_at[case]),
            int(workload.batch[case]),
            tuple(workload.attributes[case].tolist()),
        )
        for case in range(workload.num_cases)
    }


# --- the same draws ------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_workload():
    """Every array, byte by byte; the itineraries too."""
    first, second = (drawn(base())[1] for _ in range(2))
    for name in first.__dataclass_fields__:
        if name != "itineraries":
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert [it.activity.tolist() for it in first.itineraries] == [
        it.activity.tolist() for it in second.itineraries
    ]


@pytest.mark.parametrize(("seed", "replication"), [(2, 0), (1, 1), (11, 0), (1, 10)])
def test_another_seed_or_replication_gives_another_workload(seed: int, replication: int):
    """Seed 1 replication 10 is not seed 11 replication 0: names are not glued together."""
    others = [drawn(base(), *which)[1] for which in ((1, 0), (11, 0), (1, 10), (2, 0), (1, 1))]
    mine = drawn(base(), seed, replication)[1]
    same = [np.array_equal(mine.arrived_at[:40], other.arrived_at[:40]) for other in others]
    assert same.count(True) == 1


def test_every_purpose_has_draws_of_its_own():
    """No two columns of draws are the same numbers: no two purposes share a stream."""
    _, workload = drawn(base())
    assert not np.array_equal(workload.step_come_day, workload.step_come_time)
    steps = workload.step_patience != NEVER
    assert not np.array_equal(workload.step_time[steps], workload.step_patience[steps])


def with_another_activity(data: Data) -> None:
    activities = data["case_types"]["company"]["activities"]
    activities["scan"] = papers(after=["check"])
    activities["fetch"]["after"] = ["visit", "scan"]


def with_an_activity_in_front(data: Data) -> None:
    activities = data["case_types"]["company"]["activities"]
    rest = dict(activities)
    activities.clear()
    activities["greet"] = papers(service="1 min")
    activities |= rest
    activities["file"]["after"] = ["greet"]


def with_another_case_type(data: Data) -> None:
    types = dict(data["case_types"])
    data["case_types"].clear()
    data["case_types"]["early"] = case_type({"ask": visit()}, {"per_hour": 5})
    data["case_types"] |= types


def with_another_pool(data: Data) -> None:
    data["pools"] = {"first": pool(3)} | data["pools"]


def with_another_attribute(data: Data) -> None:
    attributes = data["case_types"]["company"]["attributes"]
    data["case_types"]["company"]["attributes"] = {"age": {"a": "50 %", "b": "50 %"}} | attributes


def with_more_servers(data: Data) -> None:
    data["pools"]["windows"]["shifts"]["day"]["servers"] = 9


CHANGES = [
    with_another_activity,
    with_an_activity_in_front,
    with_another_case_type,
    with_another_pool,
    with_another_attribute,
    with_more_servers,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_adding_something_moves_no_other_draw(change):
    """Streams are keyed by name: what both scenarios name is drawn alike in both."""
    before, data = drawn(base()), base()
    change(data)
    after = drawn(data)
    old, new = draws(*before), draws(*after)
    assert old.items() <= new.items()
    old_cases, new_cases = cases(*before), cases(*after)
    for key, (arrived_at, batch, attributes) in old_cases.items():
        assert new_cases[key][:2] == (arrived_at, batch)
        assert new_cases[key][2][-len(attributes) :] == attributes or (
            new_cases[key][2][: len(attributes)] == attributes
        )


def test_adding_an_activity_moves_no_other_draw():
    """And it has draws of its own, for every case that goes through it."""
    data = base()
    with_another_activity(data)
    old, new = draws(*drawn(base())), draws(*drawn(data))
    added = {key for key in new if key not in old}
    assert {activity for _, _, activity, _ in added} == {"scan"}
    assert len({new[key][0] for key in added}) > len(added) / 2


def test_the_order_in_the_file_moves_no_draw():
    """Case types turned round: the same draws by name."""
    data = base()
    data["case_types"] = dict(reversed(data["case_types"].items()))
    assert draws(*drawn(data)) == draws(*drawn(base()))


def test_renaming_an_activity_draws_it_anew():
    """The name is the key."""
    data = base()
    activities = data["case_types"]["company"]["activities"]
    data["case_types"]["company"]["activities"] = {
        "collect" if name == "fetch" else name: activity for name, activity in activities.items()
    }
    old, new = draws(*drawn(base())), draws(*drawn(data))
    collected = {key[1]: value for key, value in new.items() if key[2] == "collect"}
    fetched = {key[1]: value for key, value in old.items() if key[2] == "fetch"}
    assert collected.keys() == fetched.keys()
    assert collected != fetched


def test_a_longer_horizon_keeps_the_cases_of_the_shorter_one():
    """The first ten days of twenty are those of ten, draw by draw."""
    longer = base()
    longer["horizon"]["to"] = "20 working days"
    assert cases(*drawn(base())).items() <= cases(*drawn(longer)).items()
    assert draws(*drawn(base())).items() <= draws(*drawn(longer)).items()


def test_returns_are_decided_visit_by_visit():
    """A higher chance of being sent back only adds returns: who was sent back still is."""
    data = base()
    data["case_types"]["company"]["activities"]["check"]["again"]["probability"] = "60 %"
    old, new = draws(*drawn(base())), draws(*drawn(data))
    assert old.items() <= new.items()
    assert len(new) > len(old)


def test_a_case_upstream_of_a_change_keeps_every_instant():
    """Two scenarios that differ downstream: all that comes before is the same to the second."""
    steps = {
        "file": visit(patience={"constant": "40 min"}),
        "check": papers(after=["file"], again={"probability": "20 %", "from": ["check"]}),
        "issue": papers("counter", after=["check"]),
    }
    data = hall(
        {"case": case_type(steps, {"per_hour": 9})},
        {"windows": pool(2), "office": pool(3), "counter": pool(2)},
        open=LUNCH,
        days=5,
    )
    changed = copy.deepcopy(data)
    changed["pools"]["counter"]["shifts"]["day"]["servers"] = 1
    changed["case_types"]["case"]["activities"]["issue"]["service"] = {"constant": "30 min"}
    changed["case_types"]["case"]["activities"]["post"] = papers("counter", after=["issue"])
    before, after = run(data), run(changed)
    assert _upstream(before) == _upstream(after)
    assert before.times("COMPLETE", "issue") != after.times("COMPLETE", "issue")


def _upstream(result: Run) -> list[tuple]:
    return [row for row in result.rows() if row[3] in ("file", "check") or row[1] == "ARRIVE"]


# --- arrivals ------------------------------------------------------------------------------------


def test_arrivals_match_their_rates_by_half_hour_and_weekday():
    """Counts by half-hour and by weekday over 300 days against the profile, by chi-square.

    Fixed seed; with any other, each of the two would fail by chance once in 1,000 times.
    """
    half_hours = {"09:00": 1, "09:30": 3, "11:00": 2, "14:30": 0, "16:00": 0.5}
    weekdays = {"mon": 1.6, "tue": 1.0, "wed": 0.8, "thu": 0.6, "fri": 1.0}
    data = one_pool(
        {"per_working_day": 40, "profile": "day"},
        "1 min",
        open=LUNCH,
        calendar="weekdays",
        days=300,
        profiles={"day": {"half_hours": half_hours, "weekdays": weekdays}},
    )
    plan, workload = drawn(data)
    days, seconds = np.divmod(workload.arrived_at, DAY)
    num_days = 300
    times = {text: int(text[:2]) * HOUR + int(text[3:]) * 60 for text in half_hours}
    counted = [
        int(((seconds >= begins) & (seconds < begins + HOUR // 2)).sum())
        for begins in times.values()
    ]
    assert sum(counted) == workload.num_cases
    weights = np.array(list(half_hours.values()))
    assert counted[3] == 0
    used = weights > 0
    by_weekday = np.bincount((days + plan.origin.weekday()) % 7, minlength=7)
    assert by_weekday[5:].tolist() == [0, 0]
    working = np.bincount((plan.days.dates + plan.origin.weekday()) % 7, minlength=7)
    expected_by_day = 40 * working[:5] * np.array(list(weekdays.values()))
    expected_by_half_hour = expected_by_day.sum() * weights / weights.sum()
    assert _chi_square(np.array(counted)[used], expected_by_half_hour[used]) > 0.001
    assert _chi_square(by_weekday[:5], expected_by_day) > 0.001
    assert len(plan.days.dates) == num_days


@pytest.mark.parametrize("closed", [{}, {"sat": 0, "sun": 0}, {"sat": 3}])
def test_a_rate_is_the_mean_over_usual_working_days(closed: dict[str, float]):
    """Weights of days on which nobody works change nothing; exact, since nothing is drawn."""
    weekdays = {"mon": 1.5, "tue": 0.5, **closed}
    data = one_pool(
        {"per_working_day": 100, "profile": "day"},
        "1 min",
        calendar="weekdays",
        days=50,
        profiles={"day": {"half_hours": {"09:00": 1}, "weekdays": weekdays}},
    )
    (rate,) = plan_of(data).case_types[0].arrivals.rates
    assert rate.total == pytest.approx(100 * 50)


@pytest.mark.parametrize("warm_up", [{}, {"warm_up": "10 working days"}])
def test_demand_of_a_profile_holds_from_its_dates_on(warm_up: dict[str, str]):
    """Exact, since nothing is drawn: as usual, a fifth, nobody, twice as many."""
    factors = {"2024-01-08": 0.2, "2024-01-15": 0, "2024-01-22": 2}
    data = one_pool(
        {"per_working_day": 100, "profile": "day"},
        "1 min",
        calendar="weekdays",
        horizon={"from": "2024-01-01", "to": "20 working days"} | warm_up,
        profiles={"day": {"half_hours": {"09:00": 1}, "demand": factors}},
    )
    plan = plan_of(data)
    (rate,) = plan.case_types[0].arrivals.rates
    measured = (dt.date(2024, 1, 1) - plan.origin).days * DAY
    weeks = (rate.starts - measured) // (7 * DAY)
    expected = np.diff(rate.before)
    found = [expected[weeks == week].sum() for week in range(4)]
    assert found == pytest.approx([500, 100, 0, 1000])
    assert rate.total == pytest.approx(1600 + (1000 if warm_up else 0))


def _chi_square(counted: np.ndarray, expected: np.ndarray) -> float:
    """The chance of counts at least as far from independent Poisson counts as these."""
    return float(stats.chi2.sf(((counted - expected) ** 2 / expected).sum(), len(counted)))


def test_arrivals_of_an_hour_are_poisson():
    """5 an hour while it is open: the counts of 2,100 hours have the Poisson law, by chi-square.

    Fixed seed; with any other it would fail by chance once in 1,000 times.
    """
    plan, workload = drawn(one_pool({"per_hour": 5}, "1 min", open=LUNCH, days=300))
    hours = workload.arrived_at // HOUR
    assert plan.working_hours.is_open(workload.arrived_at).all()
    open_hours = [24 * day + hour for day in range(300) for hour in (9, 10, 11, 13, 14, 15, 16)]
    counts = np.bincount(hours)[open_hours]
    observed = np.bincount(np.minimum(counts, 11), minlength=12)
    law = stats.poisson(5)
    shares = np.append(law.pmf(np.arange(11)), law.sf(10))
    assert stats.chisquare(observed, shares * len(counts)).pvalue > 0.001


def test_arrivals_are_spread_evenly_in_a_half_hour():
    """Within a half-hour any second is as likely, by Kolmogorov and Smirnov.

    Fixed seed; with any other it would fail by chance once in 1,000 times.
    """
    data = one_pool({"per_hour": 30}, "1 min", open=("09:00-09:30",), days=300)
    seconds = drawn(data)[1].arrived_at % DAY - 9 * HOUR
    assert seconds.min() >= 0
    assert seconds.max() < 1800
    assert stats.kstest(seconds / 1800, "uniform").pvalue > 0.001


def test_arrivals_on_every_day_come_on_days_off_too():
    """Online filing at the weekend: the amount of a working day, spread over all days."""
    data = one_pool(
        {"per_working_day": 70, "profile": "online"},
        "1 min",
        calendar="weekdays",
        days=100,
        profiles={"online": {"half_hours": {"20:00": 1, "23:30": 1}, "every_day": True}},
    )
    plan, workload = drawn(data)
    by_weekday = np.bincount((workload.arrived_at // DAY + 2) % 7, minlength=7)
    all_days = np.bincount((np.arange(len(plan.days.mask)) + 2) % 7, minlength=7)
    expected = 70 * len(plan.days.dates) / len(plan.days.mask) * all_days
    assert _chi_square(by_weekday, expected) > 0.001


def test_batches_have_the_sizes_and_shares_of_the_file():
    """Sizes 1, 4 and 12 with 50, 30 and 20 %, by chi-square.

    Fixed seed; with any other it would fail by chance once in 1,000 times.
    """
    data = one_pool(
        {"per_hour": 2, "batch": {"1": "50 %", "4": "30 %", "12": "20 %"}}, "1 min", days=60
    )
    _, workload = drawn(data)
    sizes, counts = np.unique(np.bincount(workload.batch), return_counts=True)
    assert sizes.tolist() == [1, 4, 12]
    assert stats.chisquare(counts, np.array([0.5, 0.3, 0.2]) * counts.sum()).pvalue > 0.001
    for batch in range(50):
        assert len(set(workload.arrived_at[workload.batch == batch])) == 1


def test_one_batch_every_few_working_days():
    """Every third working day at ten, beginning with the first."""
    data = one_pool(
        {"every": "3 working days", "at": "10:00", "batch": 2},
        "1 min",
        calendar="weekdays",
        days=7,
    )
    _, workload = drawn(data)
    # Working days 0, 3, 6 are Wednesday, Monday and Thursday.
    assert (workload.arrived_at // DAY).tolist() == [0, 0, 5, 5, 8, 8]
    assert set((workload.arrived_at % DAY).tolist()) == {10 * HOUR}


def test_a_batch_at_the_end_of_the_last_day_does_not_come():
    """24:00 of the last day is beyond the horizon."""
    _, workload = drawn(one_pool({"every": "1 working day", "at": "24:00"}, "1 min", days=3))
    assert (workload.arrived_at // DAY).tolist() == [1, 2]


def test_a_recorded_day_stands_in_for_a_drawn_one():
    """Instants and attributes as recorded, in order of time; what is outside the horizon is not."""
    data = one_pool(["09:00"], "1 min")
    data["case_types"]["case"] |= {
        "attributes": {"channel": {"counter": "50 %", "online": "50 %"}},
        "arrivals": {
            "recorded": {
                "arrived_at": [
                    "2020-01-01 10:00:00",
                    "2020-01-01 09:00:00",
                    "2019-12-31 23:59:59",
                    "2020-01-02 00:00:00",
                ],
                "channel": ["online", "counter", "online", "online"],
            }
        },
    }
    _, workload = drawn(data)
    assert workload.arrived_at.tolist() == [9 * HOUR, 10 * HOUR]
    assert workload.attributes.tolist() == [[0], [1]]


def test_cases_are_numbered_by_arrival_then_as_in_the_file():
    """At one instant by case type, then by number within it."""
    types = {name: case_type({"a": papers()}, ["09:00", "08:00"]) for name in ("z", "a")}
    _, workload = drawn(hall(types, {"office": pool()}))
    assert workload.case_type.tolist() == [0, 1, 0, 1]
    assert workload.ordinal.tolist() == [0, 0, 1, 1]


# --- attributes, returns, times ------------------------------------------------------------------


def test_attributes_have_their_shares_and_are_independent():
    """Two attributes: the table of counts against the product of the shares, by chi-square.

    Fixed seed; with any other it would fail by chance once in 1,000 times.
    """
    data = one_pool({"per_hour": 20}, "1 min", days=20)
    data["case_types"]["case"]["attributes"] = {
        "channel": {"counter": "52 %", "online": "48 %"},
        "kind": {"a": "10 %", "b": "20 %", "c": "70 %"},
    }
    _, workload = drawn(data)
    counts = np.zeros((2, 3))
    np.add.at(counts, tuple(workload.attributes.T), 1)
    shares = np.outer([0.52, 0.48], [0.1, 0.2, 0.7])
    assert stats.chisquare(counts.ravel(), shares.ravel() * counts.sum()).pvalue > 0.001


def test_a_profile_by_attribute_keeps_who_is_who():
    """Each channel has its own hours; which case is which channel does not depend on them."""
    data = one_pool({"per_working_day": 50, "profile": "day"}, "1 min", days=30)
    data["profiles"] = {
        "day": {"half_hours": {"09:00": 1, "15:00": 1}},
        "evening": {"half_hours": {"20:00": 1}, "every_day": True},
    }
    case = data["case_types"]["case"]
    case["attributes"] = {"channel": {"counter": "60 %", "online": "40 %"}}
    alike = drawn(data)
    case["arrivals"]["profile"] = {"channel": {"counter": "day", "online": "evening"}}
    apart = drawn(data)
    old, new = cases(*alike), cases(*apart)
    assert old.keys() == new.keys()
    for key in old:
        assert old[key][2] == new[key][2]
        if old[key][2] == (0,):
            assert old[key] == new[key]
        else:
            assert 20 * HOUR <= new[key][0] % DAY < 20.5 * HOUR
    assert draws(*alike) == draws(*apart)


def test_visits_until_all_is_right_are_geometric():
    """Sent back with 30 %: 1 / 0.7 visits in the mean, each number with its share.

    Fixed seed; with any other it would fail by chance once in 1,000 times.
    """
    data = one_pool({"per_hour": 20}, "1 min", activity={"again": {"probability": "30 %"}}, days=20)
    _, workload = drawn(data)
    visits = np.diff(workload.first_step)
    n = len(visits)
    deviation = np.sqrt(0.3) / 0.7
    assert abs(visits.mean() - 1 / 0.7) < 3.3 * deviation / np.sqrt(n)
    observed = np.bincount(np.minimum(visits, 6))[1:]
    shares = 0.7 * 0.3 ** np.arange(5)
    assert stats.chisquare(observed, np.append(shares, 0.3**5) * n).pvalue > 0.001


def test_nested_returns_multiply():
    """An inner loop of mean 1 / 0.5 inside an outer one of mean 1 / 0.75: 8 / 3 visits.

    Fixed seed; the mean lies within 4 standard errors, and would not once in 15,000 times.
    """
    steps = {
        "a": papers(service="1 min", again={"probability": "50 %"}),
        "b": papers(service="1 min", after=["a"], again={"probability": "25 %", "from": ["a"]}),
    }
    data = hall({"case": case_type(steps, {"per_hour": 20})}, {"office": pool()}, days=20)
    plan, workload = drawn(data)
    is_a = np.array([activity.name == "a" for activity in plan.activities])
    visits = np.bincount(workload.step_case, is_a[workload.step_activity])
    assert abs(visits.mean() - 8 / 3) < 4 * visits.std() / np.sqrt(len(visits))


def test_service_times_are_the_quantiles_of_their_law():
    """Drawn times against the distribution function, by Kolmogorov and Smirnov.

    Fixed seed; with any other it would fail by chance once in 1,000 times.
    """
    law = {"lognormal": {"mean": "30 min", "cv": 0.5}}
    _, workload = drawn(one_pool({"per_hour": 20}, law, days=20))
    sigma = np.sqrt(np.log(1.25))
    scale = 1800 / np.exp(sigma**2 / 2)
    assert stats.kstest(workload.step_time, stats.lognorm(sigma, scale=scale).cdf).pvalue > 0.001


def test_visits_of_one_case_are_drawn_apart():
    """The time of the second visit tells nothing of the first: no correlation beyond 4 / sqrt(n).

    Fixed seed; with any other it would fail by chance once in 15,000 times.
    """
    data = one_pool(
        {"per_hour": 20}, EXPONENTIAL, activity={"again": {"probability": "60 %"}}, days=20
    )
    _, workload = drawn(data)
    begins = workload.first_step[:-1][np.diff(workload.first_step) > 1]
    first, second = workload.step_time[begins], workload.step_time[begins + 1]
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(len(begins))


def test_working_days_of_a_delay_stay_a_number_of_days():
    """A delay on the clock of working days is counted in days, not in seconds."""
    steps = {"wait": {"delay": "3 working days"}, "post": {"after": "wait", "delay": "2 h"}}
    _, workload = drawn(hall({"case": case_type(steps)}))
    assert workload.step_time.tolist() == [3, 2 * HOUR]


def test_columns_of_steps_follow_from_the_itineraries():
    """Case by case, place by place; activities numbered through the hall."""
    plan, workload = drawn(base())
    rows = zip(
        workload.step_case.tolist(),
        workload.step_activity.tolist(),
        workload.step_visit.tolist(),
        workload.step_is_repeat.tolist(),
        strict=True,
    )
    expected = []
    for case, number in enumerate(workload.itinerary.tolist()):
        it = workload.itineraries[number]
        first = plan.case_types[workload.case_type[case]].first_activity
        for place in range(it.num_steps):
            expected.append(
                (case, first + it.activity[place], it.visit[place], it.is_repeat[place])
            )
    assert list(rows) == expected
    assert workload.num_steps == len(expected)


def test_itineraries_are_numbered_as_they_are_drawn():
    """Type by type, each by its first case; none twice, and none that nobody has."""
    _, workload = drawn(base())
    assert len(set(workload.itineraries)) == len(workload.itineraries)
    in_order = np.lexsort((workload.ordinal, workload.case_type))
    numbers = workload.itinerary[in_order].tolist()
    assert list(dict.fromkeys(numbers)) == list(range(len(workload.itineraries)))


@pytest.mark.parametrize("column", ["batch", "priority", "step_patience", "step_come_day"])
def test_what_nothing_asks_for_takes_no_memory(column: str):
    """One number repeated, in every respect but that like the other columns."""
    _, plain = drawn(one_pool({"per_hour": 20}, "1 min", in_person=False))
    values = getattr(plain, column)
    assert values.strides == (0,)
    assert len(values) == plain.num_cases == plain.num_steps
    assert set(values.tolist()) == {
        {"batch": -1, "priority": 0, "step_patience": NEVER, "step_come_day": 0}[column]
    }
    asks = base()
    asks["case_types"]["enquiry"]["priority"] = 1
    assert getattr(drawn(asks)[1], column).strides == (8,)


def test_an_empty_workload_has_all_its_arrays():
    """Nobody comes: arrays of no length, and no crash."""
    plan, workload = drawn(one_pool({"per_hour": 0}, "1 min"))
    assert workload.num_cases == workload.num_steps == 0
    assert workload.first_step.tolist() == [0]
    assert plan.origin == dt.date(2020, 1, 1)
