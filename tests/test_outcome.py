"""What came of each step and case, by hand and against the log."""

from __future__ import annotations

import numpy as np
import pytest
from halls import (
    CATALOGUE,
    LUNCH,
    TWO_STEPS,
    Run,
    case_type,
    hall,
    one_pool,
    pool,
    run,
    visit,
)

from sim.event_log import Kind
from sim.outcome import Places, passed_over, waits_without_service
from sim.plan import NONE
from sim.timeline import HOUR, MINUTE, NEVER


@pytest.fixture(scope="module")
def two_steps() -> Run:
    return run(TWO_STEPS)


# --- steps ---------------------------------------------------------------------------------------


def test_the_outcome_says_when_each_step_came_about(two_steps: Run):
    """Case by case, in the order of the itinerary; NEVER for what did not happen."""
    outcome = two_steps.outcome
    assert two_steps.texts(outcome.enqueued_at) == ["09:00", "09:10", "09:05", "09:20"]
    assert two_steps.texts(outcome.started_at) == ["09:00", "09:10", "09:10", "09:30"]
    assert two_steps.texts(outcome.completed_at) == ["09:10", "09:30", "09:20", "09:50"]
    assert outcome.server.tolist() == [0, 1, 0, 1]
    assert len(outcome.unserved_step) == 0
    assert two_steps.texts(outcome.departed_at) == ["09:30", "09:50"]
    assert two_steps.texts(outcome.lost_at) == ["never", "never"]
    assert outcome.visits.tolist() == [1, 1]
    assert two_steps.times("COME_IN", "file") == ["09:00", "09:05"]


def test_a_delay_is_started_and_completed_and_needs_no_server():
    """The second ends after the horizon."""
    result = run(hall({"case": case_type({"wait": {"delay": "3 h"}}, ["09:00", "23:00"])}))
    assert result.texts(result.outcome.enqueued_at) == ["never", "never"]
    assert result.texts(result.outcome.started_at) == ["09:00", "23:00"]
    assert result.texts(result.outcome.completed_at) == ["12:00", "never"]
    assert result.outcome.server.tolist() == [NONE, NONE]


def test_a_step_has_its_last_attempt_and_those_before_are_unserved():
    """Who was turned away and came back has waited from when they came back."""
    result = run(
        one_pool(["11:55", "11:56"], "10 min", rules={"at_closing": "turn_away"}, open=LUNCH)
    )
    outcome = result.outcome
    assert outcome.unserved_step.tolist() == [1]
    assert result.texts(outcome.unserved_from) == ["11:56"]
    assert result.texts(outcome.unserved_until) == ["12:00"]
    assert outcome.unserved_kind.tolist() == [Kind.TURN_AWAY]
    assert outcome.enqueued_at[1] >= 13 * HOUR
    assert outcome.started_at[1] == outcome.enqueued_at[1]


def test_who_left_and_did_not_come_back_is_unserved():
    """The horizon ends before they come, or they never do."""
    result = run(
        one_pool(
            ["09:00", "09:01"],
            "10 min",
            activity={"patience": "5 min", "if_not_served": "lost"},
        )
    )
    outcome = result.outcome
    assert outcome.unserved_step.tolist() == [1]
    assert result.texts(outcome.unserved_until) == ["09:06"]
    assert outcome.unserved_kind.tolist() == [Kind.RENEGE]
    assert result.texts(outcome.started_at) == ["09:00", "never"]
    assert outcome.server.tolist() == [0, NONE]


def test_unserved_attempts_are_in_the_order_in_which_they_ended():
    """Twelve come to one window and have little patience; it closes for lunch."""
    patience = {"uniform": {"low": "1 min", "high": "4 h"}}
    result = run(
        one_pool(
            ["09:00"] * 12,
            "150 min",
            rules={"at_closing": "turn_away"},
            activity={"patience": patience},
            open=LUNCH,
            days=2,
        )
    )
    outcome = result.outcome
    ends = result.log.of_kind(Kind.RENEGE, Kind.TURN_AWAY)
    assert set(outcome.unserved_kind.tolist()) == {Kind.RENEGE, Kind.TURN_AWAY}
    np.testing.assert_array_equal(outcome.unserved_kind, result.log.kind[ends])
    np.testing.assert_array_equal(outcome.unserved_until, result.log.at[ends])
    np.testing.assert_array_equal(outcome.unserved_step, result.log.case[ends])
    assert len(set(outcome.unserved_step.tolist())) < len(ends)
    for number, step in enumerate(outcome.unserved_step.tolist()):
        enqueued = result.log.of_kind(Kind.ENQUEUE)
        mine = enqueued[(result.log.case[enqueued] == step) & (enqueued < ends[number])]
        assert outcome.unserved_from[number] == result.log.at[mine[-1]]


def test_waits_without_service_end_with_the_attempt_the_case_or_the_horizon():
    """One leaves, one finds no room, and their papers are given up; the last waits at midnight."""
    activities = {
        "ask": visit(service="30 min", patience="25 min", if_not_served="lost"),
        "copy": {"pool": "desk", "service": "30 h"},
    }
    data = hall(
        {"case": case_type(activities, ["09:00", "09:01", "09:05", "10:00"])},
        {"windows": pool(1, room=1), "desk": pool()},
    )
    result = run(data)
    waits = waits_without_service(result.plan, result.outcome, Places(result.plan, result.workload))
    rows = zip(
        [result.plan.pools[pool].name for pool in waits.pool.tolist()],
        result.texts(waits.begin),
        result.texts(waits.end),
        waits.kind.tolist(),
        strict=True,
    )
    assert list(rows) == [
        ("windows", "09:05", "09:05", Kind.TURN_AWAY),
        ("windows", "09:01", "09:26", Kind.RENEGE),
        ("desk", "09:01", "09:26", NONE),
        ("desk", "09:05", "09:05", NONE),
        ("desk", "10:00", "+1 00:00", NONE),
    ]


@pytest.mark.parametrize("name", CATALOGUE)
def test_places_know_the_steps_of_every_hall(name: str):
    """Case, activity, documents and repeats of each step, by its place in an itinerary."""
    made = run(CATALOGUE[name])
    workload = made.workload
    places = Places(made.plan, workload)
    case, place = places.of_steps(np.arange(workload.num_steps))
    np.testing.assert_array_equal(case, workload.step_case)
    np.testing.assert_array_equal(places.activity[place], workload.step_activity)
    np.testing.assert_array_equal(places.repeats[place] == 1, workload.step_is_repeat)
    np.testing.assert_array_equal(places.case_type[workload.itinerary], workload.case_type)
    num_steps = places.total(np.ones(len(places.itinerary)))[workload.itinerary]
    np.testing.assert_array_equal(num_steps, np.diff(workload.first_step))


# --- cases ---------------------------------------------------------------------------------------


def test_the_case_table_says_what_became_of_each_case(two_steps: Run):
    """Departure, milestones, visits, documents, first pass."""
    cases = two_steps.cases
    assert two_steps.texts(cases.arrived_at) == ["09:00", "09:05"]
    assert two_steps.texts(cases.departed_at) == ["09:30", "09:50"]
    assert two_steps.texts(cases.lost_at) == ["never", "never"]
    assert two_steps.texts(cases.milestones[:, 0]) == ["09:10", "09:20"]
    assert cases.visits.tolist() == [1, 1]
    assert cases.documents.tolist() == [3, 3]
    assert cases.is_first_pass.tolist() == [True, True]
    assert cases.is_finished.tolist() == [True, True]
    assert cases.is_lost.tolist() == [False, False]


def test_a_lost_case_is_lost_and_not_finished():
    """And one in progress is neither."""
    result = run(
        one_pool(
            ["23:00", "23:01"],
            "2 h",
            activity={"patience": "5 min", "if_not_served": "lost"},
        )
    )
    assert result.cases.is_finished.tolist() == [False, False]
    assert result.texts(result.cases.lost_at) == ["never", "23:06"]
    assert result.cases.visits.tolist() == [1, 1]


def test_a_milestone_waits_for_the_last_pass():
    """Sent back: the milestone is the last visit's; unfinished, it has not come."""
    steps = {
        "file": visit(service="5 min", documents=2),
        "check": {
            "after": "file",
            "pool": "windows",
            "service": "10 min",
            "again": {"probability": "60 %"},
            "milestone": "checked",
        },
    }
    data = hall({"case": case_type(steps, ["23:00"] * 8)}, {"windows": pool(8)})
    result = run(data)
    visits = np.diff(result.workload.first_step) - 1
    assert visits.max() > 4
    wanted = 23 * HOUR + 5 * MINUTE + visits * 10 * MINUTE
    expected = np.where(wanted < 24 * HOUR, wanted, NEVER)
    np.testing.assert_array_equal(result.cases.milestones[:, 0], expected)
    assert (expected == NEVER).any()
    np.testing.assert_array_equal(result.cases.is_first_pass, visits == 1)
    np.testing.assert_array_equal(result.cases.is_finished, expected != NEVER)


def test_documents_are_handed_in_once():
    """Sent back, nobody hands in the same documents again."""
    result = run(
        one_pool(
            ["09:00"] * 20,
            "1 min",
            20,
            activity={"again": {"probability": "50 %"}, "documents": 4},
            in_person=False,
        )
    )
    assert result.workload.num_steps > 20
    assert set(result.cases.documents.tolist()) == {4}


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_outcome_of_every_hall_counts_what_the_log_counts(name: str):
    """Arrivals, departures, losses and visits; and every instant of a step is in order."""
    result = run(CATALOGUE[name])
    cases, outcome, log = result.cases, result.outcome, result.log
    assert cases.is_finished.sum() == len(log.of_kind(Kind.DEPART))
    assert cases.is_lost.sum() == len(log.of_kind(Kind.LOSE))
    assert cases.visits.sum() == len(log.of_kind(Kind.COME_IN))
    assert not (cases.is_finished & cases.is_lost).any()
    done = log.of_kind(Kind.COMPLETE, Kind.PASS_OVER)
    assert (outcome.completed_at != NEVER).sum() == len(done)
    assert len(outcome.unserved_step) == len(log.of_kind(Kind.RENEGE, Kind.TURN_AWAY))
    served = outcome.server != NONE
    assert (outcome.enqueued_at[served] <= outcome.started_at[served]).all()
    is_begun = np.ones(len(outcome.started_at), dtype=np.bool_)
    is_begun[passed_over(outcome)] = False
    assert (~is_begun).sum() == len(log.of_kind(Kind.PASS_OVER))
    assert (outcome.started_at <= outcome.completed_at)[is_begun].all()
    assert (outcome.unserved_from <= outcome.unserved_until).all()
    # Who is served in the end came back after they had left.
    again_at = outcome.enqueued_at[outcome.unserved_step]
    came_back = served[outcome.unserved_step]
    assert (outcome.unserved_until[came_back] <= again_at[came_back]).all()
