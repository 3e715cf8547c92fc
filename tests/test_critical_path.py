"""Where the time of a case goes: by hand, against an oracle in plain Python, and laws of all."""

from __future__ import annotations

import copy
import itertools
from bisect import bisect
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from halls import CATALOGUE, LUNCH, Data, Run, case_type, hall, one_pool, plan_of, pool, run, visit
from halls import random_halls as some_halls
from hypothesis import HealthCheck, assume, given, settings

from sim.critical_path import Part, PathFinder, Span, spans_of, split_times
from sim.draws import draw_workload
from sim.engines import compiled_engine, simpy_engine
from sim.errors import LawViolated
from sim.event_log import EventLog, Kind
from sim.itinerary import LoopError
from sim.loading import load
from sim.metrics import measure
from sim.outcome import Places, case_table, outcome_of
from sim.plan import NONE, Plan
from sim.planning import compile_plan
from sim.promises import ARRIVED, DEPARTED
from sim.records import read_splits, splits_text
from sim.replication import replicate_log
from sim.scenario import Scenario
from sim.timeline import MINUTE, NEVER
from sim.workload import Workload

SCENARIOS = Path(__file__).parents[1] / "scenarios"
Found = Counter[tuple[int, int, str, str]]
"""Seconds by step, pool, during and part."""


# --- by hand -------------------------------------------------------------------------------------


def minutes(made: Run, case: int = 0, span: Span | None = None) -> list[tuple[str, str, Fraction]]:
    """Activity, part and minutes of the path of a case, in the order of the itinerary.

    Closed hours are called after what the case was in: `closed gate`.
    """
    finder = PathFinder(made.plan, made.workload, made.log)
    paths = finder.paths(span or Span(("case",)))
    [path] = np.flatnonzero(paths.case == case)
    pieces = paths.pieces
    found: Counter[tuple[int, int, int]] = Counter()
    for i in np.flatnonzero(pieces.path == path):
        found[int(pieces.step[i]), int(pieces.during[i]), int(pieces.part[i])] += pieces.time[i]
    names = []
    for (step, during, part), seconds in sorted(found.items()):
        activity = made.plan.activities[made.workload.step_activity[step]].name
        name = Part(during).name.lower()
        shown = f"closed {name}" if part == Part.CLOSED else name
        names.append((activity, shown, Fraction(int(seconds), MINUTE)))
    return names


def came_after(made: Run, time: str) -> Fraction:
    """Minutes from a time of the first day on until somebody came in for the last time."""
    hours, minutes_ = time.split(":")
    at = int(made.log.at[made.log.of_kind(Kind.COME_IN)[-1]])
    return Fraction(at, MINUTE) - 60 * int(hours) - int(minutes_)


def test_a_case_waits_for_a_server_and_is_served() -> None:
    made = run(one_pool(["09:00", "09:04"], "10 min", open=LUNCH))
    assert minutes(made, 0) == [("serve", "service", 10)]
    assert minutes(made, 1) == [("serve", "queue", 6), ("serve", "service", 10)]


def test_who_is_called_comes_in_one_of_the_next_half_days() -> None:
    """Called at 10:00, they come after lunch; the lunch hour is closed."""
    activities = {"ask": {"delay": "1 h"}, "fetch": visit(after="ask")}
    made = run(hall({"case": case_type(activities)}, {"windows": pool()}, open=LUNCH))
    waited = came_after(made, "13:00")
    assert 0 <= waited < 240
    assert minutes(made) == [
        ("ask", "delay", 60),
        ("fetch", "trip", 120 + waited),
        ("fetch", "closed trip", 60),
        ("fetch", "service", 10),
    ]


def test_a_tray_is_carried_over_and_lies_till_the_next_opening() -> None:
    """From 09:10 to 16:30, with an hour of lunch; then over night, and first at 09:00."""
    gate = {"at": "16:30", "resumes": "next opening"}
    activities = {
        "file": visit(),
        "check": {"after": "file", "gate": gate, "pool": "desk", "service": "20 min"},
    }
    pools = {"windows": pool(), "desk": pool()}
    made = run(hall({"case": case_type(activities)}, pools, open=LUNCH, days=2))
    assert minutes(made) == [
        ("file", "service", 10),
        ("check", "gate", 170 + 240),
        ("check", "closed gate", 60 + 16 * 60),
        ("check", "service", 20),
    ]


def test_a_trip_comes_before_the_gate_of_the_same_activity() -> None:
    """Who has come in on the first day waits in the hall for the hour."""
    activities = {
        "ask": {"delay": "30 min"},
        "fetch": visit(after="ask", gate={"at": "16:59"}),
    }
    made = run(hall({"case": case_type(activities)}, {"windows": pool()}, open=LUNCH))
    came = came_after(made, "13:00")
    assert minutes(made) == [
        ("ask", "delay", 30),
        ("fetch", "trip", 150 + came),
        ("fetch", "closed trip", 60),
        ("fetch", "gate", 239 - came),
        # A minute till closing time, and overtime: all of it is service.
        ("fetch", "service", 10),
    ]


def test_a_paused_service_is_served_while_its_shift_works() -> None:
    """It begins at 16:50 and is finished at 09:20 on the next day."""
    rules = {"at_shift_end": "pause", "at_closing": "wait"}
    made = run(one_pool(["16:50"], "30 min", rules=rules, in_person=False, open=LUNCH, days=2))
    assert minutes(made) == [("serve", "service", 30), ("serve", "closed service", 16 * 60)]


def test_a_service_that_pauses_while_the_hall_is_open_waits_for_its_server() -> None:
    """The desk closes at 10:00 and opens at 11:00 and 14:00; the hall has lunch at 12:00."""
    made = run(
        hall(
            {"case": case_type({"check": {"pool": "desk", "service": "2 h"}}, ["09:30"])},
            {"desk": pool(1, "desk", at_shift_end="pause", at_closing="wait")},
            open=LUNCH,
            hours={"desk": ["09:00-10:00", "11:00-11:30", "14:00-16:00"]},
        )
    )
    assert minutes(made) == [
        # 10:00 to 11:00, 11:30 to 12:00 and 13:00 to 14:00.
        ("check", "queue", 150),
        ("check", "service", 120),
        ("check", "closed service", 60),
    ]


def test_overtime_is_service_though_the_hall_is_closed() -> None:
    made = run(one_pool(["11:50"], "30 min", open=LUNCH))
    assert minutes(made) == [("serve", "service", 30)]


def test_the_night_in_a_queue_is_closed() -> None:
    """Papers that come at 18:00 are served at 09:00."""
    made = run(one_pool(["18:00"], "30 min", in_person=False, open=LUNCH, days=2))
    assert minutes(made) == [("serve", "closed queue", 15 * 60), ("serve", "service", 30)]


def test_a_delay_goes_on_at_night() -> None:
    """From 16:00 for 20 hours: an hour on the first day, three on the second."""
    made = run(
        hall({"case": case_type({"wait": {"delay": "20 h"}}, ["16:00"])}, open=LUNCH, days=2)
    )
    assert minutes(made) == [("wait", "delay", 240), ("wait", "closed delay", 16 * 60)]


def test_who_is_turned_away_has_waited_and_comes_back() -> None:
    """At noon they are sent away, and come in the afternoon."""
    made = run(
        one_pool(["11:30", "11:40"], "30 min", rules={"at_closing": "turn_away"}, open=LUNCH)
    )
    assert made.times("TURN_AWAY") == ["12:00"]
    came = came_after(made, "13:00")
    assert 0 <= came < 240
    assert minutes(made, 1) == [
        ("serve", "trip", came),
        ("serve", "closed trip", 60),
        ("serve", "queue", 20),
        ("serve", "service", 30),
    ]


def test_each_pass_of_a_loop_is_on_the_path() -> None:
    """As often as the case was sent back, it was served, and had to come in again."""
    data = one_pool(["09:00"], "10 min", activity={"again": {"probability": "60 %"}}, days=9)
    plan = plan_of(data)
    replication = next(n for n in range(50) if draw_workload(plan, 1, n).num_steps == 3)
    found = minutes(run(data, replication=replication))
    assert [part for _, part, _ in found] == ["service", *["trip", "service"] * 2]
    assert [time for _, part, time in found if part == "service"] == [10, 10, 10]


def test_of_parallel_branches_the_last_to_end_is_the_path() -> None:
    activities = {
        "file": {"delay": "10 min"},
        "short": {"after": "file", "delay": "1 h"},
        "long": {"after": "file", "delay": "2 h"},
        "join": {"after": ["short", "long"], "delay": "5 min"},
    }
    made = run(hall({"case": case_type(activities)}))
    assert minutes(made) == [("file", "delay", 10), ("long", "delay", 120), ("join", "delay", 5)]


def test_of_branches_that_end_together_the_last_in_the_itinerary_is_the_path() -> None:
    activities = {
        "one": {"delay": "1 h"},
        "other": {"delay": "1 h"},
        "join": {"after": ["one", "other"], "delay": "5 min"},
    }
    made = run(hall({"case": case_type(activities)}))
    assert minutes(made) == [("other", "delay", 60), ("join", "delay", 5)]


def test_the_path_begins_at_the_earlier_milestone_in_the_midst_of_another_step() -> None:
    """Accepted after 30 minutes, on a branch that the path does not take."""
    activities = {
        "accept": {"delay": "30 min", "milestone": "accepted"},
        "print": {"delay": "2 h"},
        "hand_over": {"after": ["accept", "print"], "delay": "10 min", "milestone": "done"},
        "archive": {"after": "hand_over", "delay": "3 h"},
    }
    made = run(hall({"case": case_type(activities)}))
    span = Span(("case",), "accepted", "done")
    assert minutes(made, span=span) == [("print", "delay", 90), ("hand_over", "delay", 10)]


def test_a_case_that_comes_to_the_later_milestone_first_has_no_time() -> None:
    activities = {
        "accept": {"delay": "30 min", "milestone": "accepted"},
        "print": {"delay": "10 min", "milestone": "printed"},
    }
    made = run(hall({"case": case_type(activities)}))
    span = Span(("case",), "accepted", "printed")
    assert minutes(made, span=span) == []
    assert PathFinder(made.plan, made.workload, made.log).paths(span).lead_time.tolist() == [0]


def test_of_a_batch_the_last_case_is_the_path() -> None:
    """Three at one window: the last waits for two."""
    arrivals = {"every": "1 working day", "at": "10:00", "batch": 3}
    made = run(one_pool(arrivals, "10 min", open=LUNCH))
    span = Span(("case",), per="batch")
    paths = PathFinder(made.plan, made.workload, made.log).paths(span)
    assert paths.case.tolist() == [2]
    assert minutes(made, 2, span) == [("serve", "queue", 20), ("serve", "service", 10)]


def test_the_clock_of_a_batch_starts_with_its_first_case() -> None:
    """Accepted at 10:10, 10:20 and 10:30; the last is copied from 10:30 on, and has waited."""
    activities = {
        "accept": visit(milestone="accepted"),
        "copy": {"after": "accept", "delay": "5 min", "milestone": "copied"},
    }
    arrivals = {"every": "1 working day", "at": "10:00", "batch": 3}
    made = run(hall({"case": case_type(activities, arrivals)}, {"windows": pool()}, open=LUNCH))
    assert minutes(made, 2, Span(("case",), "accepted", "copied", "batch")) == [
        ("accept", "queue", 10),
        ("accept", "service", 10),
        ("copy", "delay", 5),
    ]


def test_a_batch_that_has_lost_somebody_is_never_done() -> None:
    """The second finds the desk busy at 10:20 and leaves; the third finds it free at 10:30."""
    pay = visit("desk", "12 min", after="ask", patience="1 min", if_not_served="lost")
    activities = {"ask": visit(milestone="asked"), "pay": pay}
    arrivals = {"every": "1 working day", "at": "10:00", "batch": 3}
    pools = {"windows": pool(), "desk": pool()}
    made = run(hall({"case": case_type(activities, arrivals)}, pools))
    finder = PathFinder(made.plan, made.workload, made.log)
    assert made.times("LOSE") == ["10:21"]
    for to in ("asked", DEPARTED):
        assert len(finder.paths(Span(("case",), to=to)).case) == 2
        of_batches = finder.paths(Span(("case",), to=to, per="batch"))
        assert (len(of_batches.case), of_batches.num_unfinished) == (0, 0)


def test_unfinished_and_lost_cases_have_no_path() -> None:
    """One is done, one is lost for want of patience, one is served at the end of the horizon."""
    made = run(
        one_pool(
            ["09:00", "09:01", "23:55"],
            "10 min",
            activity={"patience": "5 min", "if_not_served": "lost"},
        )
    )
    [split] = split_times(made.plan, made.workload, made.log)
    assert (split.span, split.num_finished, split.num_unfinished) == ("case", 1, 1)
    assert split.lead_time == 10 * MINUTE
    [part] = split.parts
    assert (part.case_type, part.activity, part.pool) == ("case", "serve", "windows")
    assert (part.during, part.part, part.time) == ("service", "service", 10 * MINUTE)


def test_cases_that_arrive_in_the_warm_up_are_not_split() -> None:
    horizon = {"from": "2020-01-02", "to": "1 working days", "warm_up": "1 working days"}
    made = run(one_pool(["09:00", "+1 09:00", "+1 10:00"], "10 min", horizon=horizon))
    assert PathFinder(made.plan, made.workload, made.log).paths(Span(("case",))).case.tolist() == [
        1,
        2,
    ]


def test_a_case_with_nothing_to_do_has_no_pieces() -> None:
    made = run(CATALOGUE["cases with nothing to do"])
    paths = PathFinder(made.plan, made.workload, made.log).paths(Span(("case",)))
    assert len(paths.case) == made.workload.num_cases
    assert set(paths.pieces.path) == set(np.flatnonzero(paths.lead_time))


def test_without_promises_every_case_type_is_split() -> None:
    scenario = Scenario.model_validate(CATALOGUE["one room, two queues"])
    assert spans_of(scenario) == {"a": Span(("a",)), "b": Span(("b",))}


# --- the oracle ----------------------------------------------------------------------------------


def overlap(sessions: list[tuple[int, int]], begin: int, end: int) -> int:
    """Seconds of sessions between two instants."""
    total = 0
    # All that could matter: the one that began last before, and those that begin before the end.
    for i in range(max(0, bisect(sessions, (begin,)) - 1), bisect(sessions, (end,))):
        opens, closes = sessions[i]
        total += max(0, min(end, closes) - max(begin, opens))
    return total


class Oracle:
    """Case by case, event by event, in plain Python."""

    def __init__(self, plan: Plan, workload: Workload, log: EventLog) -> None:
        self.plan, self.workload = plan, workload
        self.events: dict[int, dict[int, list[tuple[int, int, int]]]] = {}
        for at, kind, case, place, server in zip(
            *(getattr(log, name).tolist() for name in ("at", "kind", "case", "place", "server")),
            strict=True,
        ):
            if Kind(kind) not in (Kind.ARRIVE, Kind.LOSE, Kind.DEPART):
                of_case = self.events.setdefault(case, {})
                of_case.setdefault(place, []).append((at, kind, server))
        self.hall = list(
            zip(plan.working_hours.starts.tolist(), plan.working_hours.ends.tolist(), strict=True)
        )

    def path(self, case: int, from_at: int, to_at: int, marks: list[int]) -> Found:
        """Seconds of a finished case between two instants."""
        found: Found = Counter()
        itinerary = self.workload.itineraries[self.workload.itinerary[case]]
        before: dict[int, list[int]] = {place: [] for place in range(itinerary.num_steps)}
        for place, successors in enumerate(itinerary.successors):
            for after in successors:
                before[after].append(place)
        ends = (Kind.COMPLETE, Kind.PASS_OVER)
        done = {p: es[-1][0] for p, es in self.events.get(case, {}).items() if es[-1][1] in ends}
        here = max(((done[place], place) for place in marks), default=(0, NONE))[1]
        while here != NONE:
            at, earlier = max(((done[p], p) for p in before[here]), default=(None, NONE))
            at = int(self.workload.arrived_at[case]) if at is None else at
            last = "ready"
            for then, kind, server in self.events[case][here]:
                self.piece(found, case, here, (last, Kind(kind).name), (at, then), from_at, server)
                at, last = then, Kind(kind).name
            here = earlier
        assert sum(found.values()) == max(0, to_at - from_at)
        return found

    def piece(
        self,
        found: Found,
        case: int,
        place: int,
        kinds: tuple[str, str],
        times: tuple[int, int],
        from_at: int,
        server: int,
    ) -> None:
        begin, end = (max(time, from_at) for time in times)
        step = int(self.workload.first_step[case]) + place
        activity = self.plan.activities[self.workload.step_activity[step]]
        pool, pauses, sessions = NONE, False, self.hall
        if server != NONE:
            [shift] = [
                s for s in self.plan.shifts if s.first_server <= server < s.first_server + s.servers
            ]
            pool, pauses = shift.pool, self.plan.pools[shift.pool].pauses
            sessions = [*zip(shift.sessions.starts.tolist(), shift.sessions.ends.tolist())]  # noqa: B905
        length = end - begin
        if kinds == ("START", "COMPLETE") and server != NONE:
            worked = overlap(sessions, begin, end) if pauses else length
            idle = 0
            if pauses:
                inner = (e for s in sessions + self.hall for e in s if begin < e < end)
                edges = sorted({begin, end, *inner})
                for a, b in itertools.pairwise(edges):
                    if not overlap(sessions, a, b):
                        idle += overlap(self.hall, a, b)
            found[step, pool, "service", "service"] += worked
            found[step, pool, "queue", "queue"] += idle
            found[step, pool, "service", "closed"] += length - worked - idle
            return
        if kinds[1] == "COME_IN":
            during = "trip"
        elif kinds[0] == "ENQUEUE":
            during = "queue"
            if server == NONE:
                pool = self.plan.queues[activity.queue][0]
        elif kinds == ("START", "COMPLETE"):
            during = "delay"
        else:
            during, pool = "gate", NONE
        inside = overlap(self.hall, begin, end)
        found[step, pool, during, during] += inside
        found[step, pool, during, "closed"] += length - inside


def assert_paths_are_right(plan: Plan, workload: Workload, log: EventLog, span: Span) -> None:
    """All of them, by the oracle, and as many as there should be."""
    paths = PathFinder(plan, workload, log).paths(span)
    cases = case_table(plan, workload, outcome_of(workload, log))
    oracle, places = Oracle(plan, workload, log), Places(plan, workload)
    by_path: dict[int, Found] = {}
    pieces = paths.pieces
    assert (pieces.time > 0).all()
    columns = (pieces.path, pieces.step, pieces.pool, pieces.during, pieces.part, pieces.time)
    for path, step, pool_, during, part, time in zip(*(c.tolist() for c in columns), strict=True):
        names = Part(during).name.lower(), Part(part).name.lower()
        by_path.setdefault(path, Counter())[step, pool_, *names] += time

    def passed_at(name: str, case: int) -> int:
        if name in (ARRIVED, DEPARTED):
            return int((cases.arrived_at if name == ARRIVED else cases.departed_at)[case])
        return int(cases.milestones[case, plan.milestones.index(name)])

    for path, case in enumerate(paths.case.tolist()):
        itinerary = int(workload.itinerary[case])
        marked = places.milestone[places.begin[itinerary] : places.begin[itinerary + 1]].tolist()
        marks = [
            place
            for place, milestone in enumerate(marked)
            if span.to == DEPARTED or (milestone != NONE and plan.milestones[milestone] == span.to)
        ]
        from_at, to_at = int(paths.from_at[path]), int(paths.to_at[path])
        assert to_at == passed_at(span.to, case)
        if span.per == "case":
            assert from_at == passed_at(span.from_, case)
        elif workload.batch[case] != NONE:
            came_with = (workload.batch == workload.batch[case]) & (
                workload.case_type == workload.case_type[case]
            )
            for other in np.flatnonzero(came_with).tolist():
                instants = [passed_at(name, other) for name in (span.from_, span.to)]
                assert to_at >= instants[1] or NEVER in instants
        expected = oracle.path(case, from_at, to_at, marks)
        assert by_path.get(path, Counter()) == +expected
    if span.per == "case" and span.from_ == ARRIVED and span.to == DEPARTED:
        mine = np.isin([plan.case_types[t].name for t in workload.case_type], span.case_types)
        mine &= cases.arrived_at >= plan.measured_from_at
        assert len(paths.case) == np.count_nonzero(mine & cases.is_finished)
        unfinished = mine & ~cases.is_finished & ~cases.is_lost
        assert paths.num_unfinished == np.count_nonzero(unfinished)


def assert_hall_is_right(data: Data, replications: int = 1) -> None:
    """In both engines, between all milestones; every activity marks one, without reforms."""
    data = copy.deepcopy(data)
    names = []
    for name, kind in data["case_types"].items():
        for activity, about in kind["activities"].items():
            if "dated_reforms" in data and "milestone" not in about:
                continue  # who moves over must find every milestone where it was
            names.append((name, about.setdefault("milestone", f"{name}_{activity}")))
    plan = plan_of(data)
    types = tuple(data["case_types"])
    spans = [Span(types), Span(types, per="batch")]
    for name in types:
        own = [milestone for of, milestone in names if of == name]
        spans += [Span((name,), ARRIVED, milestone) for milestone in own[-2:]]
        if own:
            spans += [Span((name,), own[0], DEPARTED), Span((name,), own[0], own[-1], "batch")]
        spans += [Span((name,), a, b) for a, b in itertools.pairwise(own)]
    for replication in range(replications):
        workload = draw_workload(plan, 1, replication)
        log = simpy_engine.simulate(plan, workload)
        for span in spans:
            assert_paths_are_right(plan, workload, log, span)
        compiled = compiled_engine.simulate(plan, workload)
        assert split_times(plan, workload, compiled) == split_times(plan, workload, log)


@pytest.mark.parametrize("name", CATALOGUE)
def test_the_paths_of_an_awkward_hall_are_those_of_the_oracle(name: str) -> None:
    assert_hall_is_right(CATALOGUE[name])


@given(some_halls())
@settings(derandomize=True, deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_the_paths_of_random_halls_are_those_of_the_oracle(data: Data) -> None:
    try:
        plan_of(data)
    except LoopError:
        assume(False)
    assert_hall_is_right(data)


@pytest.mark.long
@given(some_halls())
@settings(
    derandomize=True, deadline=None, max_examples=600, suppress_health_check=list(HealthCheck)
)
def test_the_paths_of_many_random_halls_are_those_of_the_oracle(data: Data) -> None:
    try:
        plan_of(data)
    except LoopError:
        assume(False)
    assert_hall_is_right(data)


@pytest.mark.parametrize(
    "name",
    [
        "tutorial",
        pytest.param("lanzhou-2015", marks=pytest.mark.long),
        pytest.param("lanzhou-2020", marks=pytest.mark.long),
    ],
)
def test_the_paths_of_a_shipped_scenario_are_those_of_the_oracle(name: str) -> None:
    """And they are of as many cases as the metrics of the promises."""
    plan = compile_plan(load(SCENARIOS / f"{name}.yaml"))
    workload, log = replicate_log(plan, 1, 0, "compiled")
    values = measure(plan, workload, log).values
    splits = {split.span: split for split in split_times(plan, workload, log)}
    for promise, span in spans_of(plan.scenario).items():
        assert_paths_are_right(plan, workload, log, span)
        split = splits[promise]
        total = split.num_finished + split.num_unfinished
        assert total == values["promised_cases", promise]
        unfinished = split.num_unfinished / total
        assert unfinished == pytest.approx(values["unfinished_share", promise])
        assert sum(part.time for part in split.parts) == split.lead_time


def test_the_oracle_notices_one_changed_second() -> None:
    made = run(CATALOGUE["overload"])
    at = made.log.at.copy()
    at[made.log.of_kind(Kind.START)[5]] += 1
    changed = replace(made.log, at=at)
    finder = PathFinder(made.plan, made.workload, changed)
    right = PathFinder(made.plan, made.workload, made.log)
    span = Span(("case",))
    assert not np.array_equal(finder.paths(span).pieces.time, right.paths(span).pieces.time)


def test_parts_that_do_not_add_up_are_a_broken_law() -> None:
    """A log in which a step is complete before its case is done, by a second."""
    made = run(one_pool(["09:00"], "10 min"))
    at = made.log.at.copy()
    at[made.log.of_kind(Kind.DEPART)] += 1
    with pytest.raises(
        LawViolated,
        match=r"the parts of case 0 add up to 600 s, its lead time is 601 s \(seed 1, replicat",
    ):
        split_times(made.plan, made.workload, replace(made.log, at=at))


def test_splits_are_kept_as_text() -> None:
    made = run(CATALOGUE["gates of every kind"])
    splits = split_times(made.plan, made.workload, made.log)
    assert splits[0].parts
    assert read_splits(splits_text(splits)) == splits
    assert NEVER not in {part.time for part in splits[0].parts}
