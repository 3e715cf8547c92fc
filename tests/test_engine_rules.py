"""The rules of a hall, each as a small timeline computed by hand.

`run` asserts every law on the way, so a test here states only what its rule adds.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import numpy as np
import pytest
from halls import (
    CATALOGUE,
    LUNCH,
    Run,
    case_type,
    hall,
    one_pool,
    plan_of,
    pool,
    run,
    run_unchecked,
    shifts,
)

from sim.draws import draw_workload
from sim.engines import simpy_engine
from sim.event_log import Kind, make_log
from sim.timeline import DAY, HOUR

GOLDEN_ARRIVALS = (0, 1, 2, 3, 4, 5, 10, 10, 10, 25)
GOLDEN_SERVICES = (5, 3, 4, 2, 6, 1, 7, 7, 2, 3)
GOLDEN_STARTS = {1: (0, 5, 8, 12, 14, 20, 21, 28, 35, 37), 2: (0, 1, 4, 5, 7, 8, 10, 13, 17, 25)}

OFFICE = ("09:00-12:00", "14:00-17:00")


def minutes(*numbers: int) -> list[str]:
    """Instants so many minutes after nine."""
    return [f"{9 + n // 60:02}:{n % 60:02}" for n in numbers]


def visit(pools: object = "windows", service: object = "10 min", **more: object) -> dict:
    return {"trip": "visit", "pool": pools, "service": service, **more}


def papers(pools: object = "windows", service: object = "10 min", **more: object) -> dict:
    return {"pool": pools, "service": service, **more}


# --- first come, first served --------------------------------------------------------------------


@pytest.mark.parametrize("servers", [1, 2])
def test_the_golden_trace(servers: int):
    """Ten cases at one queue, first come first served: the starts are known, to the minute."""
    # Ten types that differ in their service alone; at one instant the file's order counts.
    types = {
        f"c{i}": case_type({"serve": visit(service=f"{service} min")}, minutes(arrival))
        for i, (arrival, service) in enumerate(zip(GOLDEN_ARRIVALS, GOLDEN_SERVICES, strict=True))
    }
    result = run(hall(types, {"windows": pool(servers)}))
    assert result.times("START") == minutes(*GOLDEN_STARTS[servers])
    waits = result.outcome.started_at - result.outcome.enqueued_at
    assert waits.mean() / 60 == {1: 11.0, 2: 2.0}[servers]


def test_equal_priority_is_first_come_first_served():
    """A at 0, 2, 4, 6 and B at 1, 3, 5, 7 are served A B A B A B A B."""
    types = {
        name: case_type({name: papers(service="10 min")}, minutes(*arrivals))
        for name, arrivals in {"B": (1, 3, 5, 7), "A": (0, 2, 4, 6)}.items()
    }
    starts = run(hall(types, {"windows": pool()})).rows("START")
    assert [name for *_, name in starts] == list("ABABABAB")


def test_cases_of_one_instant_are_served_in_the_order_of_the_file():
    """At one instant, by case type as in the file, then by number."""
    types = {name: case_type({name: papers()}, ["09:00", "09:00"]) for name in ("second", "first")}
    starts = run(hall(types, {"windows": pool()})).rows("START")
    assert [(case, name) for _, _, case, name in starts] == [
        (0, "second"),
        (1, "second"),
        (2, "first"),
        (3, "first"),
    ]


def test_priority_does_not_interrupt_a_service():
    """One server, 2 minutes each: low at 0 and 0, high at 1; the high one ends at 4."""
    types = {
        "low": case_type({"low": papers(service="2 min")}, minutes(0, 0), priority=1),
        "high": case_type({"high": papers(service="2 min")}, minutes(1), priority=0),
    }
    result = run(hall(types, {"windows": pool()}))
    assert result.times("COMPLETE", "high") == minutes(4)
    assert result.times("COMPLETE", "low") == minutes(2, 6)


def test_an_activity_has_a_priority_of_its_own():
    """The activity's priority counts before the case type's."""
    types = {
        "a": case_type({"a": papers(priority=5)}, minutes(0, 1), priority=0),
        "b": case_type({"b": papers()}, minutes(2), priority=3),
    }
    starts = run(hall(types, {"windows": pool()})).rows("START")
    assert [name for *_, name in starts] == ["a", "b", "a"]


def test_priority_by_attribute():
    """Of those who wait, the urgent ones are first."""
    data = one_pool(["09:00"], "10 min")
    data["case_types"]["case"] |= {
        "attributes": {"urgent": {"yes": "50 %", "no": "50 %"}},
        "priority": {"urgent": {"yes": 0, "no": 1}},
        "arrivals": {
            "recorded": {
                "arrived_at": [f"2020-01-01 09:0{i}:00" for i in range(4)],
                "urgent": ["no", "no", "yes", "yes"],
            }
        },
    }
    assert [case for _, _, case, _ in run(data).rows("START")] == [0, 2, 3, 1]


def test_a_server_freed_at_an_instant_serves_who_comes_at_that_instant():
    """Completions come before arrivals."""
    assert run(one_pool(minutes(0, 10), "10 min")).times("START") == minutes(0, 10)


# --- which server --------------------------------------------------------------------------------


def test_a_case_takes_the_first_free_pool_of_its_list():
    """North if it is free, else south; whoever waits takes the one that is free first."""
    data = hall(
        {"case": case_type({"serve": papers(["north", "south"])}, minutes(0, 1, 2, 30))},
        {"south": pool(), "north": pool()},
    )
    result = run(data)
    names = [result.plan.pools[result.log.pool[i]].name for i in result.log.of_kind(Kind.START)]
    assert names == ["north", "south", "north", "north"]
    assert result.times("START") == minutes(0, 1, 10, 30)


def test_shifts_of_a_pool_are_taken_in_the_order_of_the_file():
    """The first shift with a free server, and in it the server with the smallest number."""
    data = hall(
        {"case": case_type({"serve": papers()}, minutes(0, 0, 0))},
        {"windows": shifts({"one": (2, None), "two": (2, None)})},
    )
    log = run(data).log
    assert log.server[log.of_kind(Kind.START)].tolist() == [0, 1, 2]


def test_a_free_server_takes_the_first_it_may_serve():
    """South serves two queues: of those who wait in either, who came first."""
    data = hall(
        {
            "any": case_type({"any": papers(["north", "south"])}, minutes(0, 1, 3)),
            "south": case_type({"south": papers(["south"])}, minutes(2, 4)),
        },
        {"north": pool(), "south": pool(1)},
    )
    # 0 north, 1 south; at 10 north takes 3 although 2 came before: only south may serve 2.
    assert run(data).served() == [
        (0, "09:00", "09:10"),
        (1, "09:01", "09:11"),
        (3, "09:10", "09:20"),
        (2, "09:11", "09:21"),
        (4, "09:21", "09:31"),
    ]


def test_two_queues_compete_by_priority_first():
    """A more urgent case that waits for one pool goes before an earlier one that waits for two."""
    data = hall(
        {
            "any": case_type({"any": papers(["north", "south"])}, minutes(0, 1), priority=1),
            "south": case_type({"south": papers(["south"])}, minutes(0, 2), priority=0),
        },
        {"north": pool(hours="never"), "south": pool(1)},
        hours={"never": [{"sessions": []}]},
    )
    starts = run(data).rows("START")
    assert [case for _, _, case, _ in starts] == [1, 3, 0, 2]


# --- shifts --------------------------------------------------------------------------------------


def test_shift_end_lets_the_running_service_finish():
    """A window that closes does not send away the case being served."""
    data = one_pool(["11:50"], "30 min", open=("09:00-12:00",))
    assert run(data).served() == [(0, "11:50", "12:20")]


def test_capacity_that_changes_lets_running_services_finish():
    """Capacity 1, 3, 1 at minutes 0, 1, 2; three arrive at 0, 2 minutes each: ends 2, 3, 3."""
    data = hall(
        {"case": case_type({"serve": papers(service="2 min")}, minutes(0, 0, 0))},
        {"windows": shifts({"always": (1, None), "peak": (2, "peak")})},
        hours={"peak": ["09:01-09:02"]},
    )
    assert run(data).times("COMPLETE") == minutes(2, 3, 3)


def test_a_shift_that_opens_takes_those_who_wait():
    """Papers that came at night are begun at opening time, in their order."""
    data = one_pool(["02:00", "01:00"], "10 min", in_person=False, open=OFFICE)
    assert run(data).served() == [(0, "09:00", "09:10"), (1, "09:10", "09:20")]


def test_a_paused_service_goes_on_when_the_shift_opens_again():
    """30 minutes begun 10 before noon: 10, then lunch, then 20."""
    data = one_pool(
        ["11:50"], "30 min", open=OFFICE, rules={"at_shift_end": "pause", "at_closing": "wait"}
    )
    assert run(data).served() == [(0, "11:50", "14:20")]


def test_a_paused_service_goes_on_after_a_night():
    """What is not done by the evening is done the next morning; its server is not free before."""
    data = one_pool(
        ["16:00", "16:30"],
        "5 h",
        open=OFFICE,
        days=2,
        rules={"at_shift_end": "pause", "at_closing": "wait"},
    )
    assert run(data).served() == [(0, "16:00", "+1 15:00"), (1, "+1 15:00", "never")]


def test_a_service_that_would_pause_but_ends_at_closing_time_is_complete_then():
    """Finished exactly at closing is finished, and nobody else is begun."""
    data = one_pool(
        ["11:40", "11:45"],
        "20 min",
        open=OFFICE,
        rules={"at_shift_end": "pause", "at_closing": "wait"},
    )
    assert run(data).served() == [(0, "11:40", "12:00"), (1, "14:00", "14:20")]


def test_overtime_delays_the_next_session_of_that_server_only():
    """A server who works through lunch is not free at the next opening; the other one is."""
    data = one_pool(["11:00", "13:59"], "4 h", 2, in_person=False, open=OFFICE)
    assert run(data).served() == [(0, "11:00", "15:00"), (1, "14:00", "18:00")]
    data = one_pool(["11:00", "13:59"], "4 h", 1, in_person=False, open=OFFICE)
    assert run(data).served() == [(0, "11:00", "15:00"), (1, "15:00", "19:00")]


def test_a_shift_of_no_servers_never_opens():
    """Its hours are nobody's: people wait no longer than the shifts with servers are there."""
    data = hall(
        {"case": case_type({"serve": visit(service="1 h")}, ["11:30", "11:40"])},
        {"windows": shifts({"nobody": (0, "all"), "day": (1, None)})},
        open=("09:00-12:00",),
        hours={"all": ["00:00-24:00"]},
    )
    assert run(data).served() == [(0, "11:30", "12:30"), (1, "12:30", "13:30")]


# --- closing -------------------------------------------------------------------------------------


def test_closing_rule_serve_serves_who_was_there_before_closing():
    """Three people before noon, one window: the last is served at 12:40, through lunch."""
    data = one_pool(["11:40", "11:45", "11:59:59"], "30 min", open=OFFICE)
    assert run(data).times("START") == ["11:40", "12:10", "12:40"]


def test_who_comes_at_the_closing_instant_was_not_there_before():
    """Closing time belongs to the closed time: this person is turned away and comes back."""
    data = one_pool(["12:00"], "30 min", open=OFFICE)
    rows = run(data).rows("TURN_AWAY", "COME_IN")
    assert rows[:2] == [("12:00", "COME_IN", 0, "serve"), ("12:00", "TURN_AWAY", 0, "serve")]
    assert "14:00" <= rows[2][0] < "17:00"


def test_the_clerks_who_close_last_serve_who_is_left():
    """Of two shifts the early one goes home at noon; at one, the late one serves the rest."""
    data = hall(
        {"case": case_type({"serve": visit(service="40 min")}, ["11:50"] * 5)},
        {"windows": shifts({"early": (1, None), "late": (1, "late")})},
        open=("09:00-12:00",),
        hours={"late": ["09:00-13:00"]},
    )
    result = run(data)
    assert result.times("START") == ["11:50", "11:50", "12:30", "13:10", "13:50"]
    assert result.log.server[result.log.of_kind(Kind.START)].tolist() == [0, 1, 1, 1, 1]


def test_closing_rule_turn_away_sends_home_who_waits():
    """Who is being served stays; who waits goes, and comes in the next half-day."""
    data = one_pool(["11:40", "11:45"], "30 min", open=OFFICE, rules={"at_closing": "turn_away"})
    rows = run(data).rows("START", "TURN_AWAY")
    assert rows[:2] == [("11:40", "START", 0, "serve"), ("12:00", "TURN_AWAY", 1, "serve")]
    assert rows[2][1:] == ("START", 1, "serve")
    assert "14:00" <= rows[2][0] < "17:00"


def test_closing_rule_wait_lets_people_wait():
    """They are served at the next opening, in their order."""
    data = one_pool(["11:40", "11:45"], "30 min", open=OFFICE, rules={"at_closing": "wait"})
    assert run(data).times("START") == ["11:40", "14:00"]


@pytest.mark.parametrize("rule", ["serve", "turn_away", "wait"])
def test_papers_wait_whatever_the_closing_rule(rule: str):
    """Papers have nobody to send away, and nobody works overtime for them."""
    data = one_pool(
        ["11:40", "11:45", "12:30"],
        "30 min",
        in_person=False,
        open=OFFICE,
        rules={"at_closing": rule},
    )
    assert run(data).times("START") == ["11:40", "14:00", "14:30"]


def test_late_clerks_serve_people_before_papers():
    """In overtime a person goes before papers that have waited longer."""
    data = hall(
        {
            "papers": case_type({"papers": papers(service="30 min")}, ["11:40", "11:41"]),
            "people": case_type({"people": visit(service="30 min")}, ["11:42"]),
        },
        {"windows": pool()},
        open=OFFICE,
    )
    assert run(data).times("START", "people") == ["12:10"]
    assert run(data).times("START", "papers") == ["11:40", "14:00"]


def test_coming_to_a_closed_pool_costs_one_more_visit():
    """Turned away at the door; comes back, is served, and has made two visits."""
    result = run(one_pool(["13:00"], "30 min", open=OFFICE))
    assert [row[1] for row in result.rows()] == [
        "ARRIVE",
        "COME_IN",
        "ENQUEUE",
        "TURN_AWAY",
        "COME_IN",
        "ENQUEUE",
        "START",
        "COMPLETE",
        "DEPART",
    ]
    assert result.cases.visits.tolist() == [2]


def test_coming_to_a_closed_pool_at_the_first_instant_of_all():
    """What arrives at instant 0 is settled at instant 0."""
    result = run(one_pool(["00:00"], "30 min", open=OFFICE))
    assert result.times("TURN_AWAY") == ["00:00"]


# --- room and patience ---------------------------------------------------------------------------


def test_a_room_of_no_places_still_lets_in_who_is_served_at_once():
    """Nobody can wait, but who finds a free server need not."""
    data = one_pool(
        minutes(0, 5, 10), "10 min", rules={"room": 0}, activity={"if_not_served": "lost"}
    )
    result = run(data)
    assert result.times("START") == minutes(0, 10)
    assert result.rows("TURN_AWAY", "LOSE") == [
        ("09:05", "TURN_AWAY", 1, "serve"),
        ("09:05", "LOSE", 1, ""),
    ]


def test_who_finds_the_room_full_leaves():
    """One is served and two can wait: of five at one instant the last two leave."""
    data = one_pool(["09:00"] * 5, "10 min", rules={"room": 2}, open=OFFICE)
    result = run(data)
    assert [case for _, _, case, _ in result.rows("TURN_AWAY")] == [3, 4]
    assert result.times("START")[:3] == minutes(0, 10, 20)


def test_the_last_who_came_leaves_even_if_more_urgent():
    """A place in the room belongs to who took it; priority counts only at the window."""
    data = hall(
        {
            "low": case_type({"low": visit()}, minutes(0, 1), priority=1),
            "high": case_type({"high": visit(if_not_served="lost")}, minutes(2), priority=0),
        },
        {"windows": pool(room=1)},
    )
    assert run(data).rows("TURN_AWAY") == [("09:02", "TURN_AWAY", 2, "high")]


def test_a_room_is_for_people_not_for_papers():
    """Papers take no place, however many there are."""
    data = hall(
        {
            "papers": case_type({"papers": papers()}, minutes(0, 0, 0, 0)),
            "people": case_type({"people": visit()}, minutes(1)),
        },
        {"windows": pool(room=1)},
    )
    assert run(data).times("START", "people") == minutes(40)


def test_one_room_holds_the_queues_of_one_pool():
    """Two queues with the same first choice wait in the same room."""
    data = hall(
        {
            "a": case_type({"a": visit(["windows"])}, minutes(0, 1)),
            "b": case_type({"b": visit(["windows", "spare"], if_not_served="lost")}, minutes(2)),
        },
        {"windows": pool(room=1), "spare": pool(hours="never")},
        hours={"never": [{"sessions": []}]},
    )
    assert run(data).rows("TURN_AWAY") == [("09:02", "TURN_AWAY", 2, "b")]


def test_an_impatient_person_leaves_after_their_patience():
    """Patience of 5 minutes: gone at 09:06, whatever comes later."""
    data = one_pool(
        minutes(0, 1), "10 min", activity={"patience": "5 min", "if_not_served": "lost"}
    )
    assert run(data).rows("RENEGE", "LOSE", "START") == [
        ("09:00", "START", 0, "serve"),
        ("09:06", "RENEGE", 1, "serve"),
        ("09:06", "LOSE", 1, ""),
    ]


def test_who_leaves_at_the_instant_a_server_is_freed_is_not_served():
    """Leaving comes before servers are handed out."""
    data = one_pool(minutes(0, 1), "10 min", activity={"patience": "9 min"}, open=OFFICE)
    assert [row[1:3] for row in run(data).rows() if row[0] == "09:10"] == [
        ("COMPLETE", 0),
        ("RENEGE", 1),
        ("DEPART", 0),
    ]


def test_no_patience_at_all_is_enough_for_a_free_server():
    """Patience 0: served at once, or gone at once."""
    data = one_pool(
        minutes(0, 5, 10), "10 min", activity={"patience": "0 s", "if_not_served": "lost"}
    )
    result = run(data)
    assert result.times("START") == minutes(0, 10)
    assert result.rows("RENEGE") == [("09:05", "RENEGE", 1, "serve")]


def test_who_comes_back_has_new_patience():
    """Each visit costs a trip, and the waiting begins anew."""
    data = one_pool(["09:00", "09:00"], "2 h", activity={"patience": "10 min"}, open=OFFICE, days=2)
    result = run(data)
    assert result.cases.visits.tolist() == [1, 2]
    assert result.rows("RENEGE") == [("09:10", "RENEGE", 1, "serve")]


def test_a_lost_case_gives_up_what_it_waits_for_elsewhere():
    """Lost at the window: its papers leave the tray, but a service that runs is finished."""
    data = hall(
        {
            "case": case_type(
                {
                    "ask": visit("windows", "10 min"),
                    "file": visit("windows", "10 min", after="ask", patience="5 min",
                                  if_not_served="lost"),
                    "check": papers("office", "30 min", after="ask"),
                    "copy": papers("copier", "30 min", after="ask"),
                    "wait": {"after": "ask", "delay": "30 min"},
                },
                ["09:00"],
            ),
            "other": case_type({"block": visit("windows", "30 min", priority=-1),
                                "shelve": papers("office", "30 min")}, ["09:05"]),
        },
        {"windows": pool(), "office": pool(), "copier": pool()},
    )  # fmt: skip
    rows = run(data).rows()
    assert [row for row in rows if row[2] == 0 and row[0] >= "09:10"] == [
        ("09:10", "COMPLETE", 0, "ask"),
        ("09:10", "ENQUEUE", 0, "file"),
        ("09:10", "ENQUEUE", 0, "check"),
        ("09:10", "ENQUEUE", 0, "copy"),
        ("09:10", "START", 0, "copy"),
        ("09:10", "START", 0, "wait"),
        ("09:15", "RENEGE", 0, "file"),
        ("09:15", "LOSE", 0, ""),
        ("09:40", "COMPLETE", 0, "copy"),
    ]


def test_what_a_case_does_at_the_instant_it_is_lost_still_happens():
    """A delay that ends when the case is lost is complete, whichever was begun first."""
    data = hall(
        {
            "case": case_type(
                {
                    "file": visit("windows", patience="20 min", if_not_served="lost"),
                    "wait": {"delay": "20 min"},
                    "check": papers("office", after="wait"),
                },
                ["09:01"],
            ),
            "other": case_type({"block": visit("windows", "1 h")}, ["09:00"]),
        },
        {"windows": pool(), "office": pool()},
    )
    assert [row[1:] for row in run(data).rows() if row[0] == "09:21"] == [
        ("COMPLETE", 1, "wait"),
        ("RENEGE", 1, "file"),
        ("ENQUEUE", 1, "check"),
        ("LOSE", 1, ""),
    ]


# --- trips ---------------------------------------------------------------------------------------


def two_steps(second: dict, **more: object) -> dict:
    """A visit of 10 minutes, then `second`."""
    steps = {"first": visit(), "second": {"after": "first", **second}}
    more = {"open": OFFICE, "days": 3} | more
    return hall({"case": case_type(steps, ["09:00"])}, {"windows": pool()}, **more)


def test_the_first_trip_is_the_arrival():
    """Who arrives in the hall is there."""
    assert run(one_pool(["09:30"], "10 min", open=OFFICE)).rows()[:2] == [
        ("09:30", "ARRIVE", 0, ""),
        ("09:30", "COME_IN", 0, "serve"),
    ]


def test_a_person_who_is_called_comes_in_the_next_half_day():
    """Done at 09:10, called again: comes in some time in the afternoon."""
    result = run(
        two_steps(visit(trip="visit") | {"trip": "fetch"}, trips={"visit": {}, "fetch": {}})
    )
    (came,) = result.times("COME_IN", "second")
    assert "14:00" <= came < "17:00"
    assert result.cases.visits.tolist() == [2]


def test_activities_with_one_trip_label_share_a_visit():
    """The person is still there: the second activity begins at once."""
    result = run(two_steps(visit()))
    assert result.served() == [(0, "09:00", "09:10"), (0, "09:10", "09:20")]
    assert result.cases.visits.tolist() == [1]


def test_a_trip_ends_with_the_day():
    """Who has gone home in between comes in once more, in one of the next half-days."""
    data = two_steps({"after": "file", **visit()})
    activities = data["case_types"]["case"]["activities"]
    activities["file"] = {"after": "first", "delay": "1 working day"}
    result = run(data)
    (came,) = [at for at, kind, _, name in result.rows() if (kind, name) == ("COME_IN", "second")]
    assert "+1 14:00" <= came < "+1 17:00"
    assert result.cases.visits.tolist() == [2]


def test_a_trip_has_hours_of_its_own():
    """People come when the trip's hours are open, here on the next morning."""
    data = two_steps(
        {"trip": "fetch"},
        hours={"early": ["08:00-08:01"]},
        trips={"visit": {}, "fetch": {"hours": "early"}},
    )
    data["case_types"]["case"]["activities"]["second"]["delay"] = "0 s"
    (came,) = run(data).times("COME_IN", "second")
    assert "+1 08:00" <= came < "+1 08:01"


def test_a_trip_follows_its_profile():
    """All weight on the half-hour from 15:30."""
    data = two_steps(
        {"trip": "fetch", "delay": "0 s"},
        trips={"visit": {}, "fetch": {"profile": "late"}},
        profiles={"late": {"half_hours": {"15:30": 1}}},
    )
    for seed in range(5):
        (came,) = run(data, seed).times("COME_IN", "second")
        assert "15:30" <= came < "16:00"


def test_a_profile_that_knows_nothing_of_a_half_day_leaves_it_even():
    """Called in the afternoon: the morning has no weight in the profile, so any time will do."""
    data = two_steps(
        {"trip": "fetch", "delay": "0 s"},
        trips={"visit": {}, "fetch": {"profile": "late"}},
        profiles={"late": {"half_hours": {"15:30": 1}}},
    )
    data["case_types"]["case"]["arrivals"]["recorded"] = ["2020-01-01 15:00:00"] * 40
    came = run(data).times("COME_IN", "second")
    assert all("+1 09:00" <= at < "+1 12:00" for at in came)
    assert min(came) < "+1 09:30"
    assert max(came) > "+1 11:30"


def test_hours_that_never_close_have_a_half_day_every_day():
    """Who is called in a hall that never closes comes on the next day."""
    data = two_steps({"trip": "fetch", "delay": "0 s"}, open=("00:00-24:00",),
                     trips={"visit": {}, "fetch": {}})  # fmt: skip
    (came,) = run(data).times("COME_IN", "second")
    assert came.startswith("+1 ")


def test_some_people_let_half_days_go_by():
    """With a chance of 40 % at each half-day, the mean is 1 / 0.4 half-days.

    Fixed seed; with any other it would fail by chance about once in 10,000 times.
    """
    data = two_steps(
        {"trip": "fetch", "delay": "0 s"}, days=40, trips={"visit": {}, "fetch": {"comes": "40 %"}}
    )
    data["case_types"]["case"]["arrivals"]["recorded"] = ["2020-01-01 08:00:00"] * 3000
    data["pools"]["windows"]["shifts"]["day"]["servers"] = 3000
    data["case_types"]["case"]["activities"]["first"] = {"delay": "0 s"}
    result = run(data)
    came = result.log.at[result.log.of_kind(Kind.COME_IN)]
    days, seconds = np.divmod(came, DAY)
    half_days = 2 * days + (seconds > 12 * HOUR) + 1
    deviation = np.sqrt(0.6) / 0.4
    assert abs(half_days.mean() - 2.5) < 4 * deviation / np.sqrt(len(came))
    assert np.isclose((half_days == 1).mean(), 0.4, atol=0.04)


def test_sent_back_at_the_window_costs_one_more_visit():
    """Incomplete: the person goes home and comes in once more."""
    data = one_pool(
        ["09:00"], "10 min", activity={"again": {"probability": "50 %"}}, open=OFFICE, days=20
    )
    for seed in range(6):
        result = run(data, seed)
        visits = len(result.times("COMPLETE"))
        assert result.cases.visits.tolist() == [visits]
        half_days = set((result.log.at[result.log.of_kind(Kind.COME_IN)] // (12 * HOUR)).tolist())
        assert len(half_days) == visits


# --- gates ---------------------------------------------------------------------------------------


def gated(gate: dict, arrivals: list[str], **more: object) -> Run:
    """Cases that go through a gate, then through a delay of no time."""
    steps = {"sign": {"gate": gate, "delay": "0 s"}}
    return run(hall({"case": case_type(steps, arrivals)}, open=OFFICE, **({"days": 3} | more)))


def test_a_tray_is_carried_over_once_a_day():
    """What is in it at 17:30 goes on at the next opening; what comes later waits a day."""
    result = gated({"at": "17:30", "resumes": "next opening"}, ["10:00", "17:30", "17:30:01"])
    assert result.times("COMPLETE") == ["+1 09:00", "+1 09:00", "+2 09:00"]


def test_a_signature_goes_on_at_once():
    """Without `resumes`, the case goes on at the time of day itself."""
    assert gated({"at": "16:30"}, ["10:00", "16:30", "16:31"]).times("COMPLETE") == [
        "16:30",
        "16:30",
        "+1 16:30",
    ]


def test_signing_days_that_fall_on_a_holiday_move_to_the_next_working_day():
    """Mon, Wed, Fri in China: 1 January 2020 is a holiday, so Wednesday's is on Thursday."""
    result = gated(
        {"weekdays": ["mon", "wed", "fri"], "at": "16:30"},
        ["10:00", "+1 17:00", "+2 17:00"],
        calendar="china",
        days=6,
    )
    assert result.times("COMPLETE") == ["+1 16:30", "+2 16:30", "+5 16:30"]


def test_a_signing_day_before_the_horizon_may_move_into_it():
    """Wednesday 1 January 2020 is off, so its signature is on Thursday, the first simulated day."""
    result = gated(
        {"weekdays": ["wed"], "at": "16:30"},
        ["+1 10:00"],
        calendar="china",
        horizon={"from": "2020-01-02", "to": "6 working days"},
    )
    assert result.times("COMPLETE") == ["16:30"]


def test_signing_days_in_the_spring_festival():
    """Friday 24 January to Sunday 2 February 2020 are off: the next signature is on Monday."""
    result = gated(
        {"weekdays": ["wed", "fri"], "at": "16:30"},
        ["+21 17:00"],
        calendar="china",
        days=25,
    )
    assert result.times("COMPLETE") == ["+33 16:30"]


def test_a_gate_on_dates():
    """Only on the dates named, working days or not."""
    result = gated(
        {"dates": ["2020-01-04", "2020-01-02"], "at": "10:00"},
        ["09:00", "+1 10:00", "+1 10:01", "+3 10:01"],
        days="2020-01-06",
        calendar="weekdays",
    )
    assert result.times("COMPLETE") == ["+1 10:00", "+1 10:00", "+3 10:00"]


def test_a_gate_that_is_open():
    """`open` waits for hours: at once inside them, else at the next opening."""
    result = gated(
        {"open": "late"},
        ["10:00", "15:00", "16:00", "16:59:59", "17:00"],
        hours={"late": ["16:00-17:00"]},
    )
    assert result.times("COMPLETE") == ["16:00", "16:00", "16:00", "16:59:59", "+1 16:00"]


def test_a_gate_that_never_comes_holds_the_case():
    """After the last date the case is in progress for ever."""
    result = gated({"dates": ["2020-01-01"], "at": "08:00"}, ["09:00"])
    assert result.rows() == [("09:00", "ARRIVE", 0, "")]


def test_a_gate_stands_before_the_queue():
    """Come in, wait for the hour, then wait for a server."""
    data = one_pool(["09:30", "09:40"], "10 min", activity={"gate": {"at": "10:00"}}, open=OFFICE)
    result = run(data)
    assert result.times("COME_IN") == ["09:30", "09:40"]
    assert result.times("ENQUEUE") == ["10:00", "10:00"]
    assert result.times("START") == ["10:00", "10:10"]


# --- delays --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("delay", "done"),
    [
        ("26 h", "+3 18:00"),  # clock time: two hours and a day, into the weekend
        ("4 working h", "+5 11:00"),  # one hour on Friday, three on Monday
        ("1 working h", "+2 17:00"),  # done exactly at closing time
        ("1 working day", "+5 16:00"),  # the same time of day on the next working day
        ("same day", "+2 16:00"),
        ("1 calendar day", "+3 16:00"),
    ],
)
def test_time_passes_on_three_clocks(delay: str, done: str):
    """From Friday 16:00; clock time, working time, and working days are three things."""
    data = hall(
        {"case": case_type({"wait": {"delay": delay}}, ["+2 16:00"])},
        open=("08:00-12:00", "14:00-17:00"),
        calendar="weekdays",
        days=5,
    )
    assert run(data).times("COMPLETE") == [done]


def test_working_days_from_a_day_off_count_from_the_next_working_day():
    """Saturday counts as Monday, from its midnight: one working day later is Tuesday."""
    data = hall(
        {"case": case_type({"wait": {"delay": "1 working day"}}, ["+3 16:00"])},
        open=OFFICE,
        calendar="weekdays",
        days=6,
    )
    assert run(data).times("COMPLETE") == ["+6 00:00"]


# --- rework, parallel work -----------------------------------------------------------------------


def test_a_fork_runs_in_parallel_and_a_join_waits_for_all():
    """Two checks at once, 10 and 25 minutes; the decision begins when both are done."""
    data = hall(
        {
            "case": case_type(
                {
                    "file": papers("a", "5 min"),
                    "check": papers("a", "10 min", after="file"),
                    "site": papers("b", "25 min", after="file"),
                    "decide": papers("a", "5 min", after=["check", "site"]),
                },
                ["09:00"],
            )
        },
        {"a": pool(), "b": pool()},
    )
    assert run(data).served() == [
        (0, "09:00", "09:05"),
        (0, "09:05", "09:15"),
        (0, "09:05", "09:30"),
        (0, "09:30", "09:35"),
    ]


def test_parallel_steps_of_one_case_wait_in_the_order_of_their_places():
    """One server for both: the activity that stands first goes first."""
    data = hall(
        {
            "case": case_type(
                {"b": papers(), "a": papers(), "c": papers(service="1 min", after=["a", "b"])},
                ["09:00", "09:00"],
            )
        },
        {"windows": pool()},
    )
    starts = run(data).rows("START")
    assert [(case, name) for _, _, case, name in starts] == [
        (0, "b"),
        (0, "a"),
        (1, "b"),
        (1, "a"),
        (0, "c"),
        (1, "c"),
    ]


def test_leaving_an_activity_out_closes_the_gap():
    """What came after it comes after what it came after."""
    steps = {
        "file": papers(service="10 min"),
        "check": papers(service="10 min", after="file", when={"kind": "new"}),
        "issue": papers(service="10 min", after="check"),
    }
    data = hall(
        {
            "case": case_type(
                steps,
                {
                    "recorded": {
                        "arrived_at": ["2020-01-01 09:00:00", "2020-01-01 10:00:00"],
                        "kind": ["new", "old"],
                    }
                },
                attributes={"kind": {"new": "50 %", "old": "50 %"}},
            )
        },
        {"windows": pool()},
    )
    result = run(data)
    assert result.times("START", "issue") == ["09:20", "10:10"]
    assert result.times("START", "check") == ["09:10"]


def test_rework_begins_where_it_is_said_to_begin():
    """Sent back after the check: filed and checked again, then issued once."""
    steps = {
        "file": papers(service="10 min"),
        "check": papers(
            service="5 min", after="file", again={"probability": "90 %", "from": "file"}
        ),
        "issue": papers(service="1 min", after="check"),
    }
    data = hall({"case": case_type(steps, ["09:00"])}, {"windows": pool()})
    names = [name for *_, name in run(data).rows("START")]
    passes = (len(names) - 1) // 2
    assert passes > 1
    assert names == ["file", "check"] * passes + ["issue"]


# --- no time, one instant ------------------------------------------------------------------------


def test_a_service_of_no_time_frees_its_server_at_that_instant():
    """Three services of 0 seconds at one server, and all are done when they come."""
    result = run(one_pool(["09:00"] * 3, "0 s", in_person=False))
    assert result.times("START") == result.times("COMPLETE") == ["09:00"] * 3
    # Each begins in a round of its own, after the one before it is complete.
    assert [row[1:3] for row in result.rows("START", "COMPLETE")] == [
        ("START", 0),
        ("COMPLETE", 0),
        ("START", 1),
        ("COMPLETE", 1),
        ("START", 2),
        ("COMPLETE", 2),
    ]


def test_a_whole_case_of_no_time_is_over_in_an_instant():
    """Services and delays of 0 seconds, one after the other."""
    steps = {
        "a": papers(service="0 s"),
        "b": {"after": "a", "delay": "0 s"},
        "c": papers(service="0 s", after="b"),
    }
    result = run(hall({"case": case_type(steps, ["09:00"])}, {"windows": pool()}))
    assert [row[1:] for row in result.rows()] == [
        ("ARRIVE", 0, ""),
        ("ENQUEUE", 0, "a"),
        ("START", 0, "a"),
        ("COMPLETE", 0, "a"),
        ("START", 0, "b"),
        ("COMPLETE", 0, "b"),
        ("ENQUEUE", 0, "c"),
        ("START", 0, "c"),
        ("COMPLETE", 0, "c"),
        ("DEPART", 0, ""),
    ]
    assert {row[0] for row in result.rows()} == {"09:00"}


def test_a_batch_arrives_together():
    """Twelve licences in a morning: a dozen cases at 10:00, two servers, 15 minutes each."""
    data = one_pool(
        {"every": "1 working day", "at": "10:00", "batch": 12}, "15 min", 2, open=OFFICE
    )
    result = run(data)
    assert result.times("ARRIVE") == ["10:00"] * 12
    assert result.workload.batch.tolist() == [0] * 12
    assert max(result.times("COMPLETE")) == "11:30"


def test_a_milestone_is_marked_when_the_last_pass_is_done():
    """The instant of the last visit to the activity."""
    steps = {
        "file": papers(service="10 min"),
        "check": papers(
            service="5 min",
            after="file",
            again={"probability": "60 %", "from": "file"},
            milestone="checked",
        ),
    }
    result = run(hall({"case": case_type(steps, ["09:00"])}, {"windows": pool()}))
    assert Run.text(result.cases.milestones[0, 0]) == result.rows("COMPLETE")[-1][0]


# --- the edges of the horizon --------------------------------------------------------------------


def test_what_is_unfinished_at_the_horizon_stays_in_progress():
    """Nothing happens at the end or after it; the case neither departs nor is lost."""
    result = run(one_pool(["23:00", "23:30"], "1 h", in_person=False))
    assert result.rows() == [
        ("23:00", "ARRIVE", 0, ""),
        ("23:00", "ENQUEUE", 0, "serve"),
        ("23:00", "START", 0, "serve"),
        ("23:30", "ARRIVE", 1, ""),
        ("23:30", "ENQUEUE", 1, "serve"),
    ]
    assert not (result.cases.is_finished | result.cases.is_lost).any()


def test_a_shift_that_ends_at_midnight_goes_on_if_the_next_begins_there():
    """24:00 of one day is 00:00 of the next: nobody is sent away in between."""
    data = one_pool(["23:50", "23:55"], "30 min", days=2, rules={"at_closing": "turn_away"})
    assert run(data).served() == [(0, "23:50", "+1 00:20"), (1, "+1 00:20", "+1 00:50")]


def test_a_shift_that_ends_at_midnight_ends():
    """The evening's window closes at 24:00; who waits is turned away then."""
    data = one_pool(
        ["23:50", "23:55"],
        "30 min",
        days=2,
        open=("20:00-24:00",),
        rules={"at_closing": "turn_away"},
    )
    assert run(data).rows("TURN_AWAY") == [("+1 00:00", "TURN_AWAY", 1, "serve")]


def test_nobody_comes_and_nothing_happens():
    """An empty day is a log without events."""
    result = run(one_pool([], "10 min"))
    assert len(result.log) == 0
    assert result.workload.num_cases == 0


def test_one_case_lives_through_its_day():
    """Every event of a single case, in its order."""
    assert run(one_pool(["09:00"], "10 min")).rows() == [
        ("09:00", "ARRIVE", 0, ""),
        ("09:00", "COME_IN", 0, "serve"),
        ("09:00", "ENQUEUE", 0, "serve"),
        ("09:00", "START", 0, "serve"),
        ("09:10", "COMPLETE", 0, "serve"),
        ("09:10", "DEPART", 0, ""),
    ]


def test_a_case_with_nothing_to_do_departs_when_it_arrives():
    """All its activities are for others."""
    data = one_pool(["09:00"], "10 min", activity={"when": {"kind": "a"}})
    data["case_types"]["case"] |= {"attributes": {"kind": {"a": "0 %", "b": "100 %"}}}
    assert run(data).rows() == [("09:00", "ARRIVE", 0, ""), ("09:00", "DEPART", 0, "")]


def test_more_windows_never_make_anyone_wait_longer_here():
    """One queue, first come first served: each start is as early or earlier with one more."""
    starts = [
        run(
            one_pool({"per_hour": 9}, {"exponential": {"mean": "15 min"}}, servers)
        ).outcome.started_at
        for servers in (2, 3, 4)
    ]
    assert (starts[1] <= starts[0]).all()
    assert (starts[2] <= starts[1]).all()


# --- who wins at one instant ---------------------------------------------------------------------


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_log_does_not_depend_on_which_timeout_was_made_first(name: str):
    """SimPy serves equal times in the order of their making: turned round, the log is the same."""
    result = run_unchecked(CATALOGUE[name])
    rng = random.Random(7)
    for numbers in (itertools.count(0, -1), iter(rng.random, None)):
        log = _simulate_in_order(result, numbers)
        for column in ("at", "kind", "case", "place", "server"):
            np.testing.assert_array_equal(getattr(log, column), getattr(result.log, column))


def _simulate_in_order(result: Run, numbers: Iterator[float]):
    hall_ = simpy_engine.Hall(result.plan, result.workload)
    hall_.env._eid = numbers  # SimPy's tie-breaker
    hall_.settle()
    hall_.env.run(until=result.plan.end_at)
    return make_log(result.plan, result.workload, hall_.written())


def test_the_same_plan_and_workload_give_the_same_log():
    """Nothing is drawn in the engine, and nothing is left over from an earlier run."""
    first, second = (run(CATALOGUE["everything at the same instants"]).log for _ in range(2))
    assert all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in first.__dataclass_fields__
    )


def test_a_plan_can_be_run_again():
    """A plan and a workload are not used up by a run."""
    plan = plan_of(one_pool({"per_hour": 5}, "10 min", open=LUNCH))
    workload = draw_workload(plan)
    assert len(simpy_engine.simulate(plan, workload)) == len(simpy_engine.simulate(plan, workload))
