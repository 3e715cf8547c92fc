"""Small halls from short Python data, their runs as timelines, and a catalogue of awkward ones.

A hall begins on Wednesday, 2020-01-01. Instants are texts: "09:30" on the first day, "+1 09:30" on
the next. A person is an activity with a trip; papers have none.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from sim.documents import from_plain
from sim.draws import draw_workload
from sim.engines.simpy_engine import simulate
from sim.errors import Mark, ScenarioError
from sim.event_log import EventLog, Kind
from sim.itinerary import LoopError
from sim.laws import assert_laws
from sim.outcome import CaseTable, Outcome, case_table, outcome_of
from sim.phases import phase_of, phase_trees
from sim.plan import NONE, Plan
from sim.planning import compile_plan
from sim.scenario import Scenario
from sim.timeline import DAY, NEVER
from sim.tree import MapNode, plain
from sim.workload import Workload

FIRST_DAY = dt.date(2020, 1, 1)
Data = dict[str, Any]


# --- halls ---------------------------------------------------------------------------------------


def pool(servers: int = 1, hours: str | None = None, **rules: Any) -> Data:
    """A pool of one shift."""
    return shifts({"day": (servers, hours)}, **rules)


def shifts(by_name: Mapping[str, tuple[int, str | None]], **rules: Any) -> Data:
    """A pool of several shifts: servers and hours of each."""
    made: Data = {}
    for name, (servers, hours) in by_name.items():
        made[name] = {"servers": servers} | ({"hours": hours} if hours else {})
    return {"shifts": made, **rules}


def case_type(
    activities: Mapping[str, Data], arrivals: Sequence[str] | Data = ("09:00",), **more: Any
) -> Data:
    """A case type whose cases arrive at these instants."""
    if not isinstance(arrivals, dict):
        arrivals = {"recorded": [_full_instant(text) for text in arrivals]}
    return {"arrivals": arrivals, "activities": dict(activities), **more}


def hall(
    case_types: Mapping[str, Data],
    pools: Mapping[str, Data] | None = None,
    *,
    open: Sequence[str] = ("00:00-24:00",),
    days: int | str = 1,
    calendar: Any = "always",
    hours: Mapping[str, Any] | None = None,
    **more: Any,
) -> Data:
    """A hall whose working hours are `open`; `hours` names others."""
    to = f"{days} working days" if isinstance(days, int) else days
    return {
        "calendar": calendar,
        "hours": {"open": list(open), **(hours or {})},
        "working_hours": "open",
        "horizon": {"from": str(FIRST_DAY), "to": to},
        "trips": {"visit": {}},
        "pools": dict(pools or {}),
        "case_types": dict(case_types),
    } | more


def one_pool(
    arrivals: Sequence[str] | Data,
    service: Any,
    servers: int = 1,
    *,
    rules: Mapping[str, Any] | None = None,
    in_person: bool = True,
    activity: Mapping[str, Any] | None = None,
    **more: Any,
) -> Data:
    """Cases of one activity, `serve`, at one pool, `windows`."""
    step = {"pool": "windows", "service": service, **(activity or {})}
    if in_person:
        step["trip"] = "visit"
    case = case_type({"serve": step}, arrivals)
    return hall({"case": case}, {"windows": pool(servers, **(rules or {}))}, **more)


def visit(pools: Any = "windows", service: Any = "10 min", **more: Any) -> Data:
    """What somebody comes in for."""
    return {"trip": "visit", "pool": pools, "service": service, **more}


def _full_instant(text: str) -> str:
    if len(text) > len("+10 09:00:00"):
        return text
    later, _, time = text.rpartition(" ")
    day = FIRST_DAY + dt.timedelta(days=int(later or 0))
    return f"{day} {time}" + (":00" if time.count(":") == 1 else "")


TWO_STEPS = hall(
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
"""Two cases: a visit of 10 minutes at one window, then papers of 20 minutes at one desk."""

OVERLOADED = one_pool(
    [
        f"+{day} {hour:02}:{minute:02}"
        for day in range(6)
        for hour in range(24)
        for minute in range(0, 60, 10)
    ],
    "15 min",
    horizon={"from": "2020-01-03", "to": "4 working days", "warm_up": "2 working days"},
)
"""D/D/1 with a load of 1.5: the backlog grows by 48 cases a day."""


# --- runs ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Run:
    """One replication of a hall."""

    plan: Plan
    workload: Workload
    log: EventLog

    def rows(self, *kinds: str) -> list[tuple[str, str, int, str]]:
        """(instant, kind, case, activity) of the events of these kinds; of all without any."""
        wanted = [Kind[kind] for kind in kinds] or list(Kind)
        return [
            (
                self.text(self.log.at[i]),
                Kind(self.log.kind[i]).name,
                int(self.log.case[i]),
                self._activity(i),
            )
            for i in self.log.of_kind(*wanted).tolist()
        ]

    def times(self, kind: str, activity: str | None = None) -> list[str]:
        """The instants of one kind of event, case by case."""
        rows = [row for row in self.rows(kind) if activity in (None, row[3])]
        return [at for at, *_ in sorted(rows, key=lambda row: row[2])]

    def served(self, activity: str | None = None) -> list[tuple[int, str, str]]:
        """(case, start, completion) of every service or delay, in the order of the starts."""
        ends = {(case, name, n): at for n, at, case, name in self._numbered("COMPLETE")}
        return [
            (case, at, ends.get((case, name, n), "never"))
            for n, at, case, name in self._numbered("START")
            if activity in (None, name)
        ]

    def _numbered(self, kind: str) -> list[tuple[int, str, int, str]]:
        seen: dict[tuple[int, str], int] = {}
        result = []
        for at, _, case, name in self.rows(kind):
            seen[case, name] = seen.get((case, name), 0) + 1
            result.append((seen[case, name], at, case, name))
        return result

    def _activity(self, event: int) -> str:
        number = int(self.log.activity[event])
        return "" if number == NONE else self.plan.activities[number].name

    @property
    def outcome(self) -> Outcome:
        """What came of each step and each case."""
        return outcome_of(self.workload, self.log)

    @property
    def cases(self) -> CaseTable:
        """What became of each case."""
        return case_table(self.plan, self.workload, self.outcome)

    def texts(self, instants: np.ndarray) -> list[str]:
        """Instants as people read them."""
        return [self.text(at) for at in instants.tolist()]

    @staticmethod
    def text(at: int) -> str:
        """An instant as people read it."""
        if at == NEVER:
            return "never"
        day, second = divmod(int(at), DAY)
        time = str(dt.timedelta(seconds=second)).rjust(8, "0")
        return (f"+{day} " if day else "") + time.removesuffix(":00")


def plan_of(data: Data) -> Plan:
    """The plan of a hall, without the checks of a file: what can never work must not crash."""
    scenario = Scenario.model_validate(data)
    if scenario.dated_reforms:
        tree = from_plain(data, Mark("hall"), None)
        assert isinstance(tree, MapNode)
        trees = phase_trees(tree)
        scenarios = [Scenario.model_validate(plain(phase.tree)) for phase in trees]
        scenario = scenario.in_phases(tuple(map(phase_of, trees, scenarios)))
    return compile_plan(scenario)


def dated(effective: str, changes: Data, **about: Any) -> Data:
    """A reform of the case type `case`: what it makes of activities, from a day on."""
    activities = {"case_types": {"case": {"activities": changes}}}
    return {"effective": effective, "changes": activities, **about}


def run(data: Data, seed: int = 1, replication: int = 0) -> Run:
    """A run in which every law holds."""
    result = run_unchecked(data, seed, replication)
    assert_laws(result.plan, result.workload, result.log)
    return result


def run_unchecked(data: Data, seed: int = 1, replication: int = 0) -> Run:
    """A run as the engine gives it."""
    plan = plan_of(data)
    workload = draw_workload(plan, seed, replication)
    return Run(plan, workload, simulate(plan, workload))


# --- awkward halls -------------------------------------------------------------------------------

_DAYS = [
    f"+{day} {hour:02}:{minute:02}"
    for day in range(3)
    for hour in (9, 15)
    for minute in range(0, 60, 5)
]
LUNCH = ("09:00-12:00", "13:00-17:00")
EVERY_TEN_MINUTES = tuple(f"{h:02}:{m:02}" for h in range(8, 18) for m in range(0, 60, 10))
BUSY: Data = {"per_hour": 9}


def _papers(pools: Any, service: Any = "10 min", **more: Any) -> Data:
    return {"pool": pools, "service": service, **more}


def _lunch_hall(**rules: Any) -> Data:
    """People and papers at the same windows, which close for lunch."""
    return hall(
        {
            "people": case_type({"serve": visit("windows", "25 min")}, BUSY),
            "papers": case_type({"check": _papers("windows", "20 min")}, EVERY_TEN_MINUTES[::3]),
        },
        {"windows": pool(3, **rules)},
        open=LUNCH,
        days=3,
    )


_EXPONENTIAL = {"exponential": {"mean": "12 min"}}
_LOST = {"if_not_served": "lost"}

CATALOGUE: dict[str, Data] = {
    "nobody comes": one_pool({"per_hour": 0}, "10 min"),
    "one case": one_pool(["09:00"], "10 min"),
    "one case at the first instant": one_pool(["00:00"], "10 min", open=LUNCH),
    "one case at the last instant": one_pool(["23:59:59"], "1 s"),
    "cases with nothing to do": hall(
        {
            "case": case_type(
                {"serve": visit("windows", when={"kind": "real"})},
                EVERY_TEN_MINUTES,
                attributes={"kind": {"real": "20 %", "empty": "80 %"}},
            )
        },
        {"windows": pool()},
    ),
    "no pool at all": hall(
        {"case": case_type({"wait": {"delay": "3 h"}, "sign": {"after": "wait", "delay": "0 s"}})}
    ),
    "a shift of no servers": hall(
        {"case": case_type({"serve": visit("windows", "30 min")}, BUSY)},
        {"windows": shifts({"early": (0, None), "late": (3, "late")})},
        open=LUNCH,
        hours={"late": ["10:00-15:00"]},
        days=2,
    ),
    "only a shift of no servers": one_pool(
        EVERY_TEN_MINUTES, "10 min", 0, rules={"at_closing": "wait"}
    ),
    "the hall opens on the second day": one_pool(
        EVERY_TEN_MINUTES,
        "10 min",
        rules={"hours": "later"},
        hours={"later": [{"sessions": list(LUNCH), "from": "2020-01-02"}]},
        days=3,
    ),
    "a horizon without a working day": hall(
        {"case": case_type({"serve": visit("windows")}, ["2020-01-04 10:00:00"])},
        {"windows": pool()},
        calendar="weekdays",
        horizon={"from": "2020-01-04", "to": "2020-01-05"},
    ),
    "shifts end at midnight and begin there": one_pool(
        {"per_hour": 8, "hours": "all"},
        "25 min",
        3,
        rules={"at_closing": "turn_away"},
        open=("00:00-02:00", "22:00-24:00"),
        hours={"all": ["00:00-24:00"]},
        days=3,
    ),
    "a shift that is never open": hall(
        {"case": case_type({"serve": visit("windows", "30 min")}, BUSY)},
        {"windows": shifts({"sunday": (5, "sunday"), "day": (1, None)}, at_closing="turn_away")},
        open=LUNCH,
        hours={"sunday": [{"sessions": ["09:00-12:00"], "weekdays": ["sun"]}]},
        days=2,
    ),
    "a leap year": one_pool(
        {"per_hour": 0.1},
        _EXPONENTIAL,
        rules={"at_closing": "turn_away"},
        open=LUNCH,
        horizon={"from": "2020-01-01", "to": "2020-12-31"},
    ),
    "more servers than a word has bits": one_pool(
        {"per_hour": 90}, "1 h", 130, rules={"hours": "day"}, hours={"day": ["01:00-20:00"]}
    ),
    "more servers than a table has slots": hall(
        {"case": case_type({"serve": visit("windows", "90 min")}, {"per_hour": 250})},
        {"windows": shifts({"early": (300, "early"), "late": (100, "late")})},
        hours={"early": ["00:00-12:00"], "late": ["11:00-24:00"]},
    ),
    "lunch, people are served": _lunch_hall(),
    "lunch, people are turned away": _lunch_hall(at_closing="turn_away"),
    "lunch, people wait": _lunch_hall(at_closing="wait"),
    "lunch, work pauses": _lunch_hall(at_closing="turn_away", at_shift_end="pause"),
    "lunch, work pauses and people wait": _lunch_hall(at_closing="wait", at_shift_end="pause"),
    "hours that overlap": hall(
        {"case": case_type({"serve": visit("windows", "40 min")}, BUSY)},
        {"windows": shifts({"early": (2, "early"), "late": (3, "late")})},
        hours={"early": ["08:00-12:00"], "late": ["11:30-12:00", "12:00-16:00"]},
        open=("08:00-16:00",),
        days=2,
    ),
    "overload": one_pool({"per_hour": 30}, "30 min", 2, days=2),
    "no waiting room": one_pool({"per_hour": 9}, _EXPONENTIAL, 2, rules={"room": 0}, days=2),
    "a small room, who finds it full is lost": one_pool(
        {"per_hour": 30, "batch": 4},
        _EXPONENTIAL,
        3,
        rules={"room": 2},
        activity=_LOST,
        days=2,
    ),
    "one room, two queues": hall(
        {
            "a": case_type({"serve": visit(["windows"], "30 min")}, BUSY),
            "b": case_type({"serve": visit(["windows", "spare"], "30 min")}, BUSY, priority=-1),
        },
        {
            "windows": pool(2, room=3, at_closing="turn_away"),
            "spare": pool(2, "spare", at_closing="serve"),
        },
        open=LUNCH,
        hours={"spare": ["10:00-12:30"]},
        days=2,
    ),
    "impatient people": one_pool(
        {"per_hour": 12},
        _EXPONENTIAL,
        2,
        activity={"patience": {"exponential": {"mean": "8 min"}}},
        open=LUNCH,
        days=3,
    ),
    "no patience at all": one_pool(
        EVERY_TEN_MINUTES, "25 min", activity={"patience": "0 s"}, open=LUNCH, days=2
    ),
    "a case is lost on one of two ways": hall(
        {
            "case": case_type(
                {
                    "ask": visit("windows", "10 min"),
                    "a": visit("windows", "20 min", after="ask", patience="20 min", **_LOST),
                    "b": {"after": "ask", "delay": "20 min"},
                    "c": _papers("windows", "20 min", after="b"),
                    "d": _papers("office", "30 min", after="ask"),
                    "e": {"after": ["a", "c", "d"], "delay": "0 s"},
                },
                EVERY_TEN_MINUTES,
            )
        },
        {"windows": pool(2), "office": pool(2, at_closing="wait")},
        open=LUNCH,
        days=3,
    ),
    "two pools in both orders": hall(
        {
            "a": case_type({"serve": visit(["north", "south"], _EXPONENTIAL)}, BUSY),
            "b": case_type({"serve": visit(["south", "north"], _EXPONENTIAL)}, BUSY),
            "c": case_type({"serve": _papers(["south"], _EXPONENTIAL)}, BUSY, priority=1),
            "d": case_type({"serve": _papers(["north"], _EXPONENTIAL)}, BUSY, priority=-1),
        },
        {
            "north": shifts({"day": (2, None), "late": (1, "late")}),
            "south": pool(3, "late", at_closing="turn_away", room=4),
        },
        open=LUNCH,
        hours={"late": ["10:00-18:00"]},
        days=2,
    ),
    "three priorities by attribute": hall(
        {
            "case": case_type(
                {
                    "serve": visit("windows", "20 min"),
                    "check": _papers("windows", "20 min", after="serve", priority=5),
                },
                {"per_hour": 6},
                attributes={"urgent": {"yes": "10 %", "no": "60 %", "never": "30 %"}},
                priority={"urgent": {"yes": -3, "no": 0, "never": 9}},
            )
        },
        {"windows": pool(4)},
        open=LUNCH,
        days=3,
    ),
    "priorities that are all alike": hall(
        {
            "case": case_type(
                {"serve": visit("windows", "30 min")},
                BUSY,
                attributes={"urgent": {"yes": "50 %", "no": "50 %"}},
                priority={"urgent": {"yes": 3, "no": 3}},
            )
        },
        {"windows": pool(2)},
    ),
    "batches at one instant": one_pool(
        {"every": "1 working day", "at": "10:00", "batch": {"1": "30 %", "12": "70 %"}},
        "10 min",
        3,
        open=LUNCH,
        days=6,
    ),
    "services of no time": hall(
        {
            "case": case_type(
                {
                    "a": visit("windows", "0 s"),
                    "b": _papers("windows", "0 s", after="a"),
                    "c": _papers("windows", "10 min", after="a"),
                    "d": {"after": ["b", "c"], "delay": "0 s"},
                    "e": _papers(
                        "windows",
                        "0 s",
                        after="d",
                        again={"probability": "40 %", "from": "b"},
                    ),
                },
                [t for t in EVERY_TEN_MINUTES for _ in range(3)],
            )
        },
        {"windows": pool(2)},
        open=LUNCH,
        days=2,
    ),
    "gates of every kind": hall(
        {
            "case": case_type(
                {
                    "file": visit("windows"),
                    "tray": _papers(
                        "windows", after="file", gate={"at": "17:30", "resumes": "next opening"}
                    ),
                    "sign": {
                        "after": "file",
                        "gate": {"weekdays": ["mon", "wed", "fri"], "at": "16:30"},
                    },
                    "board": {
                        "after": "sign",
                        "gate": {"dates": ["2020-01-09", "2020-02-20"], "at": "10:00"},
                    },
                    "fetch": visit("windows", after=["tray", "board"], gate={"open": "afternoon"}),
                },
                {"per_hour": 2},
            )
        },
        {"windows": pool(2)},
        open=LUNCH,
        hours={"afternoon": ["15:00-16:00"]},
        calendar="china",
        days=20,
    ),
    "delays on three clocks": hall(
        {
            "case": case_type(
                {
                    "clock": {"delay": {"uniform": {"low": "0 s", "high": "30 h"}}},
                    "hours": {"delay": {"exponential": {"mean": "5 working h"}}},
                    "days": {"after": "clock", "delay": "2 working days"},
                    "same": {"after": ["hours", "days"], "delay": "same day"},
                    "end": {"after": "same", "delay": "0 working h"},
                },
                {"per_hour": 2, "hours": "all"},
            )
        },
        open=LUNCH,
        hours={"all": [{"sessions": ["00:00-24:00"]}]},
        calendar="weekdays",
        days=8,
    ),
    "loops within loops": hall(
        {
            "case": case_type(
                {
                    "file": visit("windows", when={"channel": "counter"}),
                    "upload": {"delay": "1 h", "when": {"channel": "online"}},
                    "check": _papers(
                        "office",
                        after=["file", "upload"],
                        again={"probability": "40 %"},
                    ),
                    "note": {"after": "check", "delay": "10 min", "when": {"pass": "first"}},
                    "remind": {"after": "check", "delay": "20 min", "when": {"pass": "later"}},
                    "visit": visit("office", after=["note", "remind"]),
                    "decide": _papers(
                        "office",
                        after="visit",
                        again={"probability": "30 %", "from": ["file", "upload"]},
                        milestone="decided",
                    ),
                    "copy": _papers("windows", "0 s", after="check"),
                },
                {"per_hour": 3},
                attributes={"channel": {"counter": "50 %", "online": "50 %"}},
            )
        },
        {"windows": pool(2), "office": pool(3)},
        open=LUNCH,
        days=6,
    ),
    "people who seldom come": hall(
        {
            "case": case_type(
                {
                    "ask": visit("windows", "5 min"),
                    "file": visit("windows", "15 min", after="ask"),
                    "examine": {"after": "file", "delay": "1 h"},
                    "fetch": {"after": "examine", "trip": "fetch"},
                    "pay": visit("windows", after="fetch") | {"trip": "fetch"},
                },
                BUSY,
            )
        },
        {"windows": pool(2, at_closing="turn_away", room=2)},
        open=LUNCH,
        hours={"morning": ["09:00-11:30"]},
        profiles={"late": {"half_hours": {"11:00": 5, "10:30": 1}}},
        trips={"visit": {"comes": "40 %"}, "fetch": {"hours": "morning", "profile": "late"}},
        days=5,
    ),
    "unfinished at the end": one_pool(
        EVERY_TEN_MINUTES, "20 h", 4, in_person=False, rules={"at_closing": "wait"}
    ),
    "everything at the same instants": hall(
        {
            "case": case_type(
                {
                    "a": visit("windows", "10 min", patience="10 min"),
                    "b": _papers("windows", "10 min", after="a"),
                    "c": visit("windows", "20 min", after="a", patience="20 min", **_LOST),
                    "d": _papers(["office", "windows"], "10 min", after=["b", "c"]),
                },
                [t for t in EVERY_TEN_MINUTES for _ in range(2)],
            )
        },
        {"windows": pool(2, room=3), "office": pool(1, at_closing="turn_away")},
        open=("09:00-12:00", "12:10-17:00"),
        days=2,
    ),
    "the spring festival": hall(
        {
            "case": case_type(
                {
                    "file": visit("windows", _EXPONENTIAL),
                    "sign": _papers("windows", after="file", gate={"at": "16:30"}),
                    "post": {"after": "sign", "delay": "3 working days"},
                },
                {"per_working_day": 30, "profile": "all_day"},
            )
        },
        {"windows": pool(2, at_closing="turn_away")},
        open=LUNCH,
        calendar="china",
        profiles={
            "all_day": {
                "half_hours": {"06:30": 1, "09:00": 3, "11:30": 4, "16:30": 2, "23:30": 1},
                "every_day": True,
                "weekdays": {"mon": 3, "sun": 0.5},
            }
        },
        horizon={"from": "2020-01-20", "to": "2020-02-07", "warm_up": "2 working days"},
    ),
    "a reform for those who come": hall(
        {
            "case": case_type(
                {"a": _papers("desk", "5 h"), "b": _papers("desk", "1 h", after="a")}, _DAYS
            )
        },
        {"desk": pool(2)},
        days=4,
        dated_reforms={"quick": dated("2020-01-03", {"a": {"service": "10 min"}})},
    ),
    "reforms that move cases over": hall(
        {
            "case": case_type(
                {
                    "file": visit("desk"),
                    "tray": {"after": "file", "gate": {"at": "16:00", "resumes": "next opening"}},
                    "check": _papers("desk", "3 h", after="tray", again={"probability": "30 %"}),
                    "stamp": {"after": "check", "delay": "1 working day", "documents": 2},
                    "fetch": visit("desk", after="stamp"),
                },
                _DAYS,
                attributes={"kind": {"x": "50 %", "y": "50 %"}},
            )
        },
        {"desk": shifts({"day": (6, "split")}, at_closing="turn_away")},
        open=LUNCH,
        hours={"split": list(LUNCH)},
        days=5,
        dated_reforms={
            "no-tray": dated("2020-01-03", {"tray": None}, in_progress="move"),
            "visits": dated(
                "2020-01-03",
                {
                    "stamp": {"when": {"kind": "x"}},
                    "call": {"label": "Call", "after": "check", "delay": "10 min"},
                    "fetch": {"after": ["stamp", "call"]},
                },
                in_progress="move",
            ),
            "no-fetching": dated(
                "2020-01-04",
                {"fetch": {"trip": None, "pool": None, "service": None}},
                in_progress="move",
            ),
        },
    ),
    "servers and rates by date": one_pool(
        {"per_working_day": {"2020-01-01": 5, "2020-01-03": 40}, "profile": "busy"},
        "30 min",
        {"2020-01-01": 1, "2020-01-02": 3, "2020-01-04": 2},  # type: ignore[arg-type]
        profiles={"busy": {"half_hours": {"09:00": 1, "09:30": 1}}},
        days=5,
    ),
}
"""Halls in which something is at its edge, by what is awkward about them."""


# --- random halls --------------------------------------------------------------------------------

_HOURS = {
    "morning": ["09:00-12:00"],
    "split": list(LUNCH),
    "late": ["12:00-20:00"],
    "all": ["00:00-24:00"],
}
_TIMES = st.sampled_from(["0 s", "5 min", "10 min", "30 min", "3 h", _EXPONENTIAL])
_GATES = st.sampled_from(
    [
        {"at": "12:00"},
        {"at": "16:00", "resumes": "next opening"},
        {"open": "late"},
        {"weekdays": ["thu", "sat"], "at": "10:00"},
        {"dates": ["2020-01-02"], "at": "09:00"},
    ]
)
_RULES = st.sampled_from(
    [
        {},
        {"at_closing": "serve", "room": 1},
        {"at_closing": "turn_away"},
        {"at_closing": "turn_away", "room": 0},
        {"at_closing": "wait", "room": 2},
        {"at_closing": "turn_away", "at_shift_end": "pause"},
        {"at_closing": "wait", "at_shift_end": "pause"},
    ]
)


@st.composite
def random_halls(draw: st.DrawFn) -> Data:
    """Small halls that mix everything, on a coarse clock so that much happens at one instant.

    A loop in them may have no meaning: see `itinerary.LoopError`.
    """
    pools = {}
    for name in ("north", "south")[: draw(st.integers(1, 2))]:
        by_name = {
            shift: (draw(st.integers(0, 2)), draw(st.sampled_from(list(_HOURS))))
            for shift in ("one", "two")[: draw(st.integers(1, 2))]
        }
        pools[name] = shifts(by_name, **draw(_RULES))
    case_types = {
        name: _random_case_type(draw, list(pools)) for name in ("a", "b")[: draw(st.integers(1, 2))]
    }
    days = draw(st.integers(1, 4))
    reforms = {}
    later = st.lists(st.integers(1, days - 1), max_size=2) if days > 1 else st.just([])
    for number, day in enumerate(sorted(draw(later))):
        reform = _random_reform(draw, case_types, list(pools))
        reforms[f"r{number}"] = reform | {
            "effective": str(FIRST_DAY + dt.timedelta(days=day)),
            "after": [f"r{earlier}" for earlier in range(number)],
        }
    made = hall(
        case_types,
        pools,
        open=draw(st.sampled_from([LUNCH, ("00:00-24:00",)])),
        hours=_HOURS,
        trips={"visit": {}, "fetch": {"comes": "60 %", "hours": "split"}},
        days=days,
        calendar=draw(st.sampled_from(["always", "weekdays", "china"])),
        **({"dated_reforms": reforms} if reforms else {}),
    )
    try:
        plan_of(made)
    except ScenarioError:  # cases have no way from one process to the other
        for reform in reforms.values():
            reform["in_progress"] = "keep"
    except KeyError:  # one reform names what another removes, as no file may
        del made["dated_reforms"]
    except LoopError:
        pass
    return made


def _random_reform(draw: st.DrawFn, case_types: Data, pools: list[str]) -> Data:
    """A change to some activities, which may leave cases no way to their end: see `phases`."""
    changes: Data = {}
    for name in draw(st.lists(st.sampled_from(list(case_types)), unique=True, min_size=1)):
        activities = case_types[name]["activities"]
        some = draw(
            st.lists(st.sampled_from(list(activities)), unique=True, min_size=1, max_size=2)
        )
        changed = {activity: _random_change(draw, activities[activity]) for activity in some}
        if len(some) == len(activities):
            changed = {key: change or {} for key, change in changed.items()}
        if draw(st.integers(0, 3)) == 0:
            changed["new"] = {"label": "New", "after": some[0], "delay": draw(_TIMES)}
            changed[some[0]] = changed[some[0]] or {}
        changes[name] = {"activities": changed}
    reform: Data = {"changes": {"case_types": changes}}
    if draw(st.booleans()):
        servers = draw(st.integers(0, 3))
        reform["changes"]["pools"] = {
            draw(st.sampled_from(pools)): {"shifts": {"one": {"servers": servers}}}
        }
    return reform | {"in_progress": draw(st.sampled_from(["keep", "move"]))}


def _random_change(draw: st.DrawFn, activity: Data) -> Data | None:
    """What becomes of an activity; None if it is left out."""
    if "again" not in activity and draw(st.booleans()):
        return None
    change: Data = {"documents": draw(st.integers(0, 3))}
    if isinstance(activity.get("service"), str):
        change["service"] = draw(st.sampled_from(["0 s", "20 min"]))
    if "gate" in activity and draw(st.booleans()):
        change["gate"] = None
    return change


def _random_case_type(draw: st.DrawFn, pools: list[str]) -> Data:
    activities: dict[str, Data] = {}
    before: dict[str, set[str]] = {}
    for name in "vwxyz"[: draw(st.integers(1, 5))]:
        earlier = list(activities)
        activity: Data = {}
        if earlier:
            activity["after"] = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2))
        after = activity.get("after", [])
        before[name] = set(after).union(*(before[a] for a in after))
        # One person cannot be at two windows: activities of one trip come one after the other.
        trips = [
            trip
            for trip in ("visit", "fetch")
            if {a for a in earlier if activities[a].get("trip") == trip} <= before[name]
        ]
        if trips and draw(st.booleans()):
            activity["trip"] = draw(st.sampled_from(trips))
        if draw(st.integers(0, 3)) == 0:
            activity["gate"] = draw(_GATES)
        if draw(st.integers(0, 3)):
            some = st.lists(st.sampled_from(pools), unique=True, min_size=1)
            activity |= {"pool": draw(some), "service": draw(_TIMES)}
            activity["if_not_served"] = draw(st.sampled_from(["come_back", "lost"]))
            if "trip" in activity and draw(st.booleans()):
                activity["patience"] = draw(_TIMES)
        else:
            delays = ["0 s", "30 min", "same day", "1 working day", "90 working min"]
            activity["delay"] = draw(st.sampled_from(delays))
        if draw(st.integers(0, 3)) == 0:
            begins = draw(st.sampled_from([*earlier, name]))
            activity["again"] = {"probability": "35 %", "from": begins}
        if draw(st.integers(0, 3)) == 0:
            activity["when"] = {"kind": draw(st.sampled_from(["x", "y"]))}
        if draw(st.integers(0, 3)) == 0:
            activity["priority"] = draw(st.integers(0, 2))
        activities[name] = activity
    minute = st.integers(0, 24 * 6 - 1).map(lambda n: f"{n // 6:02}:{n % 6}0")
    arrivals = draw(
        st.one_of(
            st.lists(minute, max_size=12),
            st.just(EVERY_TEN_MINUTES),
            st.just({"per_hour": 4, "batch": {"1": "50 %", "3": "50 %"}}),
        )
    )
    return case_type(
        activities,
        arrivals,
        attributes={"kind": {"x": "50 %", "y": "50 %"}},
        priority=draw(st.sampled_from([0, 1, {"kind": {"x": 0, "y": 1}}])),
    )
