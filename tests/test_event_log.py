"""The event log: kinds and their order, and the step and case tables that follow from it."""

from __future__ import annotations

import numpy as np
import pytest
from halls import CATALOGUE, LUNCH, Data, Run, case_type, hall, one_pool, pool, run

from sim.event_log import (
    EventLog,
    Kind,
    first_pool_of_activity,
    make_log,
    pool_of_server,
)
from sim.plan import NONE
from sim.timeline import HOUR, MINUTE, NEVER

COLUMNS = ("at", "kind", "case", "place", "activity", "pool", "server")


def visit(pools: object = "windows", service: object = "10 min", **more: object) -> Data:
    return {"trip": "visit", "pool": pools, "service": service, **more}


def texts(result: Run, instants: np.ndarray) -> list[str]:
    return [result.text(at) for at in instants.tolist()]


@pytest.fixture(scope="module")
def two_steps() -> Run:
    """Two cases: a visit of 10 minutes at one window, then papers of 20 minutes at one desk."""
    return run(
        hall(
            {
                "case": case_type(
                    {
                        "file": visit(milestone="filed", documents=3),
                        "check": {"after": "file", "pool": "desk", "service": "20 min"},
                    },
                    ["09:00", "09:05"],
                )
            },
            {"windows": pool(), "desk": pool()},
        )
    )


def test_kinds_are_in_the_order_in_which_they_happen_at_one_instant():
    """The one list of what comes first."""
    assert [kind.name for kind in sorted(Kind)] == [
        "COMPLETE",
        "RENEGE",
        "ARRIVE",
        "COME_IN",
        "ENQUEUE",
        "START",
        "TURN_AWAY",
        "LOSE",
        "DEPART",
    ]


def test_a_log_has_one_row_an_event(two_steps: Run):
    """Instant, kind, case, place, activity, pool and server of every event."""
    log = two_steps.log
    table = list(
        zip(
            texts(two_steps, log.at),
            [Kind(kind).name for kind in log.kind],
            *(getattr(log, name).tolist() for name in COLUMNS[2:]),
            strict=True,
        )
    )
    assert table == [
        # at, kind, case, place, activity, pool, server
        ("09:00", "ARRIVE", 0, -1, -1, -1, -1),
        ("09:00", "COME_IN", 0, 0, 0, -1, -1),
        ("09:00", "ENQUEUE", 0, 0, 0, 0, -1),
        ("09:00", "START", 0, 0, 0, 0, 0),
        ("09:05", "ARRIVE", 1, -1, -1, -1, -1),
        ("09:05", "COME_IN", 1, 0, 0, -1, -1),
        ("09:05", "ENQUEUE", 1, 0, 0, 0, -1),
        ("09:10", "COMPLETE", 0, 0, 0, 0, 0),
        ("09:10", "ENQUEUE", 0, 1, 1, 1, -1),
        ("09:10", "START", 0, 1, 1, 1, 1),
        ("09:10", "START", 1, 0, 0, 0, 0),
        ("09:20", "COMPLETE", 1, 0, 0, 0, 0),
        ("09:20", "ENQUEUE", 1, 1, 1, 1, -1),
        ("09:30", "COMPLETE", 0, 1, 1, 1, 1),
        ("09:30", "START", 1, 1, 1, 1, 1),
        ("09:30", "DEPART", 0, 2, -1, -1, -1),
        ("09:50", "COMPLETE", 1, 1, 1, 1, 1),
        ("09:50", "DEPART", 1, 2, -1, -1, -1),
    ]


def test_who_waits_is_at_the_first_choice_and_who_is_served_where_they_are_served():
    """The pool of ENQUEUE is the first of the list, that of START the one that serves."""
    result = run(
        hall(
            {"case": case_type({"serve": visit(["north", "south"])}, ["09:00", "09:00"])},
            {"south": pool(), "north": pool()},
        )
    )
    log = result.log
    names = ["south", "north"]
    assert [names[p] for p in log.pool[log.of_kind(Kind.ENQUEUE)]] == ["north", "north"]
    assert [names[p] for p in log.pool[log.of_kind(Kind.START)]] == ["north", "south"]


def test_rows_of_a_round_are_sorted_by_kind_case_and_place(two_steps: Run):
    """Engines may write them as they come; rounds stay apart."""
    rows = [
        # at, round, kind, case, place, server
        (0, 0, Kind.START, 1, 0, 0),
        (0, 0, Kind.ENQUEUE, 1, 0, -1),
        (0, 0, Kind.ARRIVE, 1, -1, -1),
        (0, 0, Kind.ARRIVE, 0, -1, -1),
        (0, 1, Kind.COMPLETE, 1, 0, 0),
        (0, 2, Kind.COMPLETE, 0, 0, 0),
        (9, 2, Kind.DEPART, 1, 2, -1),
        (9, 2, Kind.COMPLETE, 1, 1, 1),
    ]
    log = make_log(two_steps.plan, two_steps.workload, np.array(rows, dtype=np.int64))
    assert [(Kind(k).name, c) for k, c in zip(log.kind, log.case, strict=True)] == [
        ("ARRIVE", 0),
        ("ARRIVE", 1),
        ("ENQUEUE", 1),
        ("START", 1),
        ("COMPLETE", 1),
        ("COMPLETE", 0),
        ("COMPLETE", 1),
        ("DEPART", 1),
    ]


def test_a_log_of_no_events_is_empty(two_steps: Run):
    """All columns are there and have no length."""
    log = make_log(two_steps.plan, two_steps.workload, np.zeros((0, 6), dtype=np.int64))
    assert len(log) == 0
    assert [len(getattr(log, name)) for name in COLUMNS] == [0] * 7


def test_a_log_cannot_be_written_to(two_steps: Run):
    """What happened, happened."""
    for name in COLUMNS:
        with pytest.raises(ValueError, match="read-only"):
            getattr(two_steps.log, name)[0] = 1


def test_events_of_some_kinds_are_found(two_steps: Run):
    """Indices in the order of the log."""
    assert two_steps.log.of_kind(Kind.DEPART).tolist() == [15, 17]
    assert two_steps.log.of_kind(Kind.ARRIVE, Kind.DEPART).tolist() == [0, 4, 15, 17]
    assert two_steps.log.of_kind(Kind.LOSE).tolist() == []


def test_servers_are_numbered_pool_by_pool_and_shift_by_shift(two_steps: Run):
    """And activities know the pool that they ask for first."""
    assert pool_of_server(two_steps.plan).tolist() == [0, 1]
    assert first_pool_of_activity(two_steps.plan).tolist() == [0, 1]


def test_the_step_table_says_when_each_step_came_about(two_steps: Run):
    """Case by case, in the order of the itinerary; NEVER for what did not happen."""
    steps = two_steps.steps
    assert texts(two_steps, steps.came_at) == ["09:00", "never", "09:05", "never"]
    assert texts(two_steps, steps.enqueued_at) == ["09:00", "09:10", "09:05", "09:20"]
    assert texts(two_steps, steps.started_at) == ["09:00", "09:10", "09:10", "09:30"]
    assert texts(two_steps, steps.completed_at) == ["09:10", "09:30", "09:20", "09:50"]
    assert texts(two_steps, steps.left_at) == ["never"] * 4
    assert steps.server.tolist() == [0, 1, 0, 1]


def test_the_step_table_has_the_last_attempt():
    """Who was turned away and came back has waited from when they came back, and has not left."""
    result = run(
        one_pool(["11:55", "11:56"], "10 min", rules={"at_closing": "turn_away"}, open=LUNCH)
    )
    steps = result.steps
    assert texts(result, result.log.at[result.log.of_kind(Kind.TURN_AWAY)]) == ["12:00"]
    assert steps.enqueued_at[1] >= 13 * HOUR
    assert steps.started_at[1] == steps.enqueued_at[1]
    assert texts(result, steps.left_at) == ["never", "never"]


def test_the_step_table_tells_who_left_and_did_not_come_back():
    """The horizon ends before they come, or they never do."""
    result = run(
        one_pool(
            ["09:00", "09:01"],
            "10 min",
            activity={"patience": "5 min", "if_not_served": "lost"},
        )
    )
    assert texts(result, result.steps.left_at) == ["never", "09:06"]
    assert texts(result, result.steps.started_at) == ["09:00", "never"]
    assert result.steps.server.tolist() == [0, NONE]


def test_the_case_table_says_what_became_of_each_case(two_steps: Run):
    """Departure, milestones, visits, documents, first pass."""
    cases = two_steps.cases
    assert texts(two_steps, cases.arrived_at) == ["09:00", "09:05"]
    assert texts(two_steps, cases.departed_at) == ["09:30", "09:50"]
    assert texts(two_steps, cases.lost_at) == ["never", "never"]
    assert texts(two_steps, cases.milestones[:, 0]) == ["09:10", "09:20"]
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
    assert texts(result, result.cases.lost_at) == ["never", "23:06"]
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
def test_the_tables_of_every_hall_count_what_the_log_counts(name: str):
    """Arrivals, departures, losses and visits; and every instant of a step is in order."""
    result = run(CATALOGUE[name])
    cases, steps, log = result.cases, result.steps, result.log
    assert cases.is_finished.sum() == len(log.of_kind(Kind.DEPART))
    assert cases.is_lost.sum() == len(log.of_kind(Kind.LOSE))
    assert cases.visits.sum() == len(log.of_kind(Kind.COME_IN))
    assert not (cases.is_finished & cases.is_lost).any()
    assert (steps.completed_at != NEVER).sum() == len(log.of_kind(Kind.COMPLETE))
    served = steps.server != NONE
    assert (steps.enqueued_at[served] <= steps.started_at[served]).all()
    assert (steps.started_at <= steps.completed_at).all()
    assert (steps.left_at[served] == NEVER).all()


def test_a_log_is_as_long_as_its_columns():
    """`len` counts events."""
    column = np.zeros(4, dtype=np.int64)
    assert len(EventLog(*[column] * 7)) == 4
