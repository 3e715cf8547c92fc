"""The laws hold in every run, and each is seen to fail when one value of a good log is changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from halls import (
    CATALOGUE,
    LUNCH,
    Data,
    Run,
    case_type,
    hall,
    one_pool,
    pool,
    random_halls,
    run,
    run_unchecked,
    shifts,
)
from hypothesis import HealthCheck, given, reject, settings

from sim.errors import LawViolated
from sim.event_log import EventLog, Kind
from sim.itinerary import LoopError
from sim.laws import assert_laws, check_laws
from sim.timeline import MINUTE

COLUMNS = ("at", "kind", "case", "place", "activity", "pool", "server")


def visit(pools: object = "windows", service: object = "10 min", **more: object) -> Data:
    return {"trip": "visit", "pool": pools, "service": service, **more}


def papers(pools: object = "windows", service: object = "10 min", **more: object) -> Data:
    return {"pool": pools, "service": service, **more}


# --- they hold -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_law_holds_in_every_hall_of_the_catalogue(name: str):
    """In three replications."""
    for replication in range(3):
        result = run_unchecked(CATALOGUE[name], replication=replication)
        assert check_laws(result.plan, result.workload, result.log) == []


@settings(
    derandomize=True, deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
@given(random_halls())
def test_every_law_holds_in_random_halls(data: Data):
    """Small halls that mix all features, on a clock so coarse that ties are everywhere."""
    try:
        result = run_unchecked(data)
    except LoopError:
        reject()
    assert check_laws(result.plan, result.workload, result.log) == []


def test_the_catalogue_is_awkward():
    """Taken together its halls see every kind of event, overtime and lost cases."""
    counts = np.zeros(len(Kind), dtype=np.int64)
    for name in CATALOGUE:
        counts += np.bincount(run_unchecked(CATALOGUE[name]).log.kind, minlength=len(Kind))
    assert (counts > 50).all()


# --- they are seen to fail -----------------------------------------------------------------------


class Forger:
    """Changes single values of a good log."""

    def __init__(self, result: Run) -> None:
        self.run = result
        self.columns = {name: getattr(result.log, name).copy() for name in COLUMNS}

    def event(self, kind: str, case: int, activity: str = "", nth: int = 0) -> int:
        """Index of an event."""
        rows = replace(self.run, log=replace(self.run.log, **self.columns)).rows()
        found = [i for i, row in enumerate(rows) if row[1:] == (kind, case, activity)]
        return found[nth]

    def change(self, event: int, **values: int) -> Forger:
        """One event with other values, in the place where it then belongs."""
        for name, value in values.items():
            self.columns[name][event] = value
        keys = [self.columns[name] for name in ("place", "case", "kind", "at")]
        self._take(np.lexsort(keys))
        return self

    def drop(self, event: int) -> Forger:
        """The log without an event."""
        self._take(np.delete(np.arange(len(self.columns["at"])), event))
        return self

    def double(self, event: int) -> Forger:
        """The log with an event twice."""
        self._take(np.sort(np.append(np.arange(len(self.columns["at"])), event)))
        return self

    def swap(self, event: int, other: int) -> Forger:
        """Two events in each other's place in the log."""
        order = np.arange(len(self.columns["at"]))
        order[[event, other]] = other, event
        self._take(order)
        return self

    def _take(self, order: np.ndarray) -> None:
        self.columns = {name: column[order] for name, column in self.columns.items()}

    def broken(self) -> str:
        """What the laws say."""
        log = replace(self.run.log, **self.columns)
        return "\n".join(check_laws(self.run.plan, self.run.workload, log))


BUSY = one_pool(["09:00", "09:05", "09:06"], "10 min", open=LUNCH)
"""Starts at 09:00, 09:10 and 09:20."""
PARALLEL = hall(
    {
        "case": case_type(
            {
                "file": visit(service="5 min"),
                "check": papers(["office"], after="file"),
                "wait": {"after": "file", "delay": "1 h"},
                "sign": {"after": ["check", "wait"], "gate": {"at": "11:00"}, "delay": "0 s"},
            },
            ["09:00", "09:01"],
        )
    },
    {"windows": pool(2), "office": pool(1), "spare": pool(1)},
    open=LUNCH,
)


def event(
    kind_: str, case_: int, activity_: str = "serve", **values: int
) -> Callable[[Forger], Forger]:
    """One event with other values; `at` is in minutes that are added."""

    def forge(forger: Forger) -> Forger:
        i = forger.event(kind_, case_, activity_)
        later = {"at": int(forger.columns["at"][i]) + values.get("at", 0) * MINUTE}
        return forger.change(i, **(values | later))

    return forge


def without(kind: str, case: int, activity: str = "serve") -> Callable[[Forger], Forger]:
    return lambda forger: forger.drop(forger.event(kind, case, activity))


def twice(kind: str, case: int, activity: str = "serve") -> Callable[[Forger], Forger]:
    return lambda forger: forger.double(forger.event(kind, case, activity))


def both(*forgeries: Callable[[Forger], Forger]) -> Callable[[Forger], Forger]:
    def forge(forger: Forger) -> Forger:
        for forgery in forgeries:
            forger = forgery(forger)
        return forger

    return forge


def swapped(first: tuple, second: tuple) -> Callable[[Forger], Forger]:
    return lambda forger: forger.swap(forger.event(*first), forger.event(*second))


IMPATIENT = one_pool(
    ["09:00", "09:01"],
    "10 min",
    activity={"patience": "4 min", "if_not_served": "lost"},
    open=LUNCH,
)
TURNED_AWAY = one_pool(["11:55", "11:56"], "10 min", rules={"at_closing": "turn_away"}, open=LUNCH)
CROWDED = one_pool(
    ["09:00"] * 3, "10 min", rules={"room": 1}, activity={"if_not_served": "lost"}, open=LUNCH
)
URGENT = hall(
    {
        "calm": case_type({"calm": papers()}, ["09:00", "09:01"], priority=1),
        "urgent": case_type({"urgent": papers()}, ["09:02"], priority=0),
    },
    {"windows": pool()},
    open=LUNCH,
)
NORTH_FIRST = hall(
    {"case": case_type({"serve": papers(["north", "south"])}, ["09:00"])},
    {"north": pool(), "south": pool()},
    open=LUNCH,
)
LATE = one_pool(["11:55", "11:56"], "10 min", open=LUNCH)
LATE_PAPERS = one_pool(["11:55", "11:56"], "10 min", in_person=False, open=LUNCH)
PAUSED = one_pool(
    ["11:55"], "10 min", rules={"at_shift_end": "pause", "at_closing": "wait"}, open=LUNCH
)

FORGERIES: Mapping[str, tuple[Data, Callable[[Forger], Forger], str]] = {
    "an event after the end": (BUSY, event("DEPART", 2, "", at=24 * 60), "outside the horizon"),
    "an unknown kind": (BUSY, event("DEPART", 2, "", kind=10), "no such kind"),
    "an unknown case": (BUSY, event("DEPART", 2, "", case=3), "no such case"),
    "an unknown step": (BUSY, event("COMPLETE", 2, place=1), "no such step"),
    "another activity": (PARALLEL, event("START", 0, "check", activity=0), "another activity"),
    "another pool": (PARALLEL, event("ENQUEUE", 0, "check", pool=0), "is at another pool"),
    "an unknown server": (BUSY, event("START", 0, server=7), "no such server"),
    "a service without a server": (BUSY, event("START", 0, server=-1), "a server where none is"),
    "events of an instant out of order": (
        BUSY,
        swapped(("ENQUEUE", 0, "serve"), ("START", 0, "serve")),
        "out of order at its instant",
    ),
    "instants out of order": (
        BUSY,
        swapped(("START", 1, "serve"), ("START", 2, "serve")),
        "after an event of a later instant",
    ),
    "a case that never arrives": (BUSY, without("ARRIVE", 1, ""), "case 1: arrives 0 times"),
    "a case that arrives twice": (BUSY, twice("ARRIVE", 1, ""), "case 1: arrives 2 times"),
    "a case that arrives late": (BUSY, event("ARRIVE", 1, "", at=1), "arrives at .* 09:06:00, not"),
    "a case that vanishes when it is done": (BUSY, without("DEPART", 1, ""), "everything is done"),
    "a case that vanishes on its way": (
        BUSY,
        both(*(without(kind, 2) for kind in ("ENQUEUE", "START", "COMPLETE"))),
        "after COME_IN at .* goes on at never, not at 2020-01-01 09:06:00",
    ),
    "a case that departs twice": (BUSY, twice("DEPART", 1, ""), "case 1: leaves 2 times"),
    "a case that departs early": (BUSY, event("DEPART", 1, "", at=-3), "departs at .* 09:17:00"),
    "a step that is done twice": (BUSY, twice("COMPLETE", 1), "COMPLETE at .* cannot follow"),
    "a service that is too long": (
        BUSY,
        event("COMPLETE", 2, at=1),
        "goes on at 2020-01-01 09:31:00, not at 2020-01-01 09:30:00",
    ),
    "a service that is too short": (BUSY, event("COMPLETE", 2, at=-1), "goes on at .* not at"),
    "a service that never ends": (BUSY, without("COMPLETE", 2), "goes on at never, not at"),
    "a service that does not pause": (PAUSED, event("COMPLETE", 0, at=-60), "not at .* 13:05:00"),
    "a delay that is too long": (PARALLEL, event("COMPLETE", 0, "wait", at=1), "not at .* 10:05"),
    "a gate that opens early": (PARALLEL, event("START", 0, "sign", at=-30), "not at .* 11:00:00"),
    "a step before its predecessor": (
        PARALLEL,
        event("ENQUEUE", 0, "check", at=-1),
        "not at 2020-01-01 09:05:00",
    ),
    "a step that skips coming in": (BUSY, without("COME_IN", 1), "ENQUEUE .* cannot follow being"),
    "a service without waiting for it": (BUSY, without("ENQUEUE", 1), "START .* cannot follow"),
    "a person who is patient for too long": (
        IMPATIENT,
        both(event("RENEGE", 1, at=1), event("LOSE", 1, "", at=1)),
        "the patience of who waits since .* ends at",
    ),
    "a person who leaves early": (IMPATIENT, event("RENEGE", 1, at=-1), "the patience of"),
    "a case that is lost without a reason": (
        BUSY,
        event("DEPART", 2, "", kind=int(Kind.LOSE)),
        "goes unserved for good at never, is lost at",
    ),
    "a lost case that departs": (
        IMPATIENT,
        event("LOSE", 1, "", kind=int(Kind.DEPART)),
        "departs at",
    ),
    "a server of another pool": (
        PARALLEL,
        both(
            event("START", 0, "check", server=3, pool=2),
            event("COMPLETE", 0, "check", server=3, pool=2),
        ),
        "server 3 may not serve it",
    ),
    "a server who serves two at once": (
        PARALLEL,
        both(
            event("START", 1, "file", server=0),
            event("COMPLETE", 1, "file", server=0),
        ),
        "server 0 is at work on something else",
    ),
    "a server who ends what another began": (
        PARALLEL,
        both(event("COMPLETE", 0, "file", server=1), event("COMPLETE", 1, "file", server=0)),
        "is at work on something else",
    ),
    "papers in overtime": (
        LATE_PAPERS,
        both(event("START", 1, at=-55), event("COMPLETE", 1, at=-55)),
        "outside its shift",
    ),
    "a person in overtime who came too late": (
        # Turned away at noon; instead, served at once.
        one_pool(["12:00"], "10 min", open=LUNCH),
        both(
            event("TURN_AWAY", 0, kind=int(Kind.START), server=0),
            lambda forger: forger.change(forger.event("COME_IN", 0, "serve", 1), at=12 * 3600 + 600,
                                         kind=int(Kind.COMPLETE), server=0, pool=0),
        ),
        "outside its shift",
    ),
    "somebody overtaken": (
        BUSY,
        both(
            event("START", 1, at=10),
            event("COMPLETE", 1, at=10),
            event("DEPART", 1, "", at=10),
            event("START", 2, at=-10),
            event("COMPLETE", 2, at=-10),
            event("DEPART", 2, "", at=-10),
        ),
        "overtaken by a later case of the same priority",
    ),
    "somebody more urgent overtaken": (
        URGENT,
        both(
            event("START", 1, "calm", at=-10),
            event("COMPLETE", 1, "calm", at=-10),
            event("DEPART", 1, "", at=-10),
            event("START", 2, "urgent", at=10),
            event("COMPLETE", 2, "urgent", at=10),
            event("DEPART", 2, "", at=10),
        ),
        "while a more urgent case waits",
    ),
    "a server who idles": (
        BUSY,
        both(event("START", 2, at=1), event("COMPLETE", 2, at=1), event("DEPART", 2, "", at=1)),
        "1 wait, and 1 servers are free",
    ),
    "a second choice": (
        NORTH_FIRST,
        both(event("START", 0, server=1, pool=1), event("COMPLETE", 0, server=1, pool=1)),
        "is taken at .* while one of shift day is free",
    ),
    "a person turned away for nothing": (
        BUSY,
        event("START", 2, kind=int(Kind.TURN_AWAY), server=-1),
        "nothing sends it away",
    ),
    "papers turned away": (
        LATE_PAPERS,
        event("START", 1, kind=int(Kind.TURN_AWAY), server=-1, at=-55),
        "nothing sends it away",
    ),
    "a person who stays in a closed hall": (
        TURNED_AWAY,
        event("TURN_AWAY", 1, at=1),
        "waits on after 2020-01-01 12:00:00 in a pool that has closed",
    ),
    "a person who stays on where those who were there before are served": (
        one_pool(["12:00"], "10 min", open=LUNCH),
        event("TURN_AWAY", 0, at=1),
        "waits on after 2020-01-01 12:00:00 in a pool that has closed",
    ),
    "a person turned away who was there before closing": (
        LATE,
        event("START", 1, kind=int(Kind.TURN_AWAY), server=-1, at=-5),
        "turned away at 2020-01-01 12:00:00, but nothing sends it away",
    ),
    "a person turned away from a room with a place": (
        CROWDED,
        event("START", 1, kind=int(Kind.TURN_AWAY), server=-1, at=-10),
        "turned away at 2020-01-01 09:00:00, but nothing sends it away",
    ),
    "a room that is too full": (
        CROWDED,
        event("TURN_AWAY", 2, at=1),
        "2 people wait at 2020-01-01 09:00:00, the room holds 1",
    ),
    "somebody who is counted twice": (
        BUSY,
        twice("ENQUEUE", 1),
        "pool windows: the number waiting adds up to 54840 s, the waiting times to 1140 s",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGERIES)
def test_a_law_is_seen_to_fail(what: str):
    """One value of a good log is changed, and the check says what is wrong with it."""
    data, forge, says = FORGERIES[what]
    forger = Forger(run(data))
    assert forger.broken() == ""
    assert re.search(says, forge(forger).broken())


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", ["everything at the same instants", "loops within loops"])
def test_no_value_of_a_log_can_change_unseen(name: str, column: str):
    """Whichever value of whichever column is made one larger, some law is broken."""
    result = run(CATALOGUE[name])
    rng = np.random.default_rng(5)
    for i in rng.choice(len(result.log), 40, replace=False).tolist():
        values = getattr(result.log, column).copy()
        values[i] += 1
        log = replace(result.log, **{column: values})
        assert check_laws(result.plan, result.workload, log), (i, result.rows()[i])


def test_the_columns_of_a_log_have_one_length():
    """A log that is none is not looked at any further."""
    result = run(BUSY)
    log = replace(result.log, at=result.log.at[:-1])
    (said,) = check_laws(result.plan, result.workload, log)
    assert said.startswith("the columns of the log have different lengths: ")


def test_an_empty_log_breaks_a_law_if_somebody_arrives():
    """And it breaks none if nobody does."""
    result = run(BUSY)
    empty = EventLog(*(getattr(result.log, name)[:0] for name in COLUMNS))
    assert any(
        "arrives 0 times" in said for said in check_laws(result.plan, result.workload, empty)
    )
    nobody = run(one_pool([], "10 min"))
    assert check_laws(nobody.plan, nobody.workload, empty) == []


def test_the_log_of_another_seed_is_not_taken_for_this_one():
    """Every draw counts."""
    data = CATALOGUE["lunch, people are served"]
    first, second = run(data, seed=1), run(data, seed=2)
    assert check_laws(first.plan, first.workload, second.log)


def test_the_first_few_violations_are_told_and_the_rest_counted():
    """Of each law three, then how many more; in all three, then how many more."""
    result = run(CATALOGUE["overload"])
    log = replace(result.log, server=np.where(result.log.server == 1, 0, result.log.server))
    said = check_laws(result.plan, result.workload, log)
    assert any(text.startswith("... and ") and text.endswith(" more like this") for text in said)
    with pytest.raises(
        LawViolated, match=r"a law is broken \(seed 1, replication 0\):\n"
    ) as raised:
        assert_laws(result.plan, result.workload, log)
    assert str(raised.value).splitlines()[-1] == f"... and {len(said) - 3} more"


def test_late_people_may_overtake_papers_but_not_people():
    """What is no violation: in overtime people go before papers that wait longer."""
    data = hall(
        {
            "papers": case_type({"papers": papers(service="30 min")}, ["11:40", "11:41"]),
            "people": case_type({"people": visit(service="30 min")}, ["11:42", "11:43"]),
        },
        {"windows": shifts({"day": (1, None)})},
        open=LUNCH,
    )
    result = run(data)
    assert result.times("START", "people") == ["12:10", "12:40"]
    turned_round = both(event("START", 2, "people", at=30), event("START", 3, "people", at=-30))
    assert "overtaken by a later case" in turned_round(Forger(result)).broken()
