"""The event log: kinds and their order, rows and columns."""

from __future__ import annotations

import numpy as np
import pytest
from halls import TWO_STEPS, Run, case_type, hall, pool, run, visit

from sim.event_log import (
    EventLog,
    Kind,
    first_pool_of_activity,
    make_log,
    pool_of_server,
)

COLUMNS = ("at", "kind", "case", "place", "activity", "pool", "server")


@pytest.fixture(scope="module")
def two_steps() -> Run:
    return run(TWO_STEPS)


def test_kinds_are_in_the_order_in_which_they_happen_at_one_instant():
    """The one list of what comes first."""
    assert [kind.name for kind in sorted(Kind)] == [
        "COMPLETE",
        "RENEGE",
        "ARRIVE",
        "PASS_OVER",
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
            two_steps.texts(log.at),
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


def test_a_log_is_as_long_as_its_columns():
    """`len` counts events."""
    column = np.zeros(4, dtype=np.int64)
    assert len(EventLog(*[column] * 7)) == 4
