"""From a scenario to a plan: names become indices, and each phase has its own processes."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from sim import distributions as laws
from sim.activities import PASS, Activity, Gate, Trip
from sim.durations import Clock, Duration
from sim.itinerary import Process, make_process
from sim.moves import State, Version, order_of, versions_of
from sim.plan import (
    NONE,
    CumulativeRate,
    Plan,
    PlannedActivity,
    PlannedArrivals,
    PlannedCaseType,
    PlannedPool,
    PlannedShift,
)
from sim.scenario import (
    Arrivals,
    CaseType,
    Pool,
    Profile,
    Scenario,
)
from sim.time_laws import TimeLaw
from sim.time_tables import Stretch, TimeTables, within
from sim.timeline import DAY, NEVER, IntArray, read_only


def compile_plan(scenario: Scenario) -> Plan:
    """The plan of a validated scenario.

    Raises CalendarError if the horizon lies outside the calendar.
    """
    return _Compiler(scenario).plan()


class _Compiler:
    """Gives every name its index while a plan is made."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario.whole
        self.tables = TimeTables(scenario)
        self.phases = list(zip(self.tables.phases, scenario.phases, strict=True))
        self.pool_index = {name: i for i, name in enumerate(self.scenario.pools)}
        self.queues: dict[tuple[int, ...], int] = {}
        self.gates: dict[Gate, int] = {}
        self.trips: list[tuple[str, Trip, Profile | None]] = []
        self.trip_indices = [self.trip_index(phase.scenario) for _, phase in self.phases]
        """In each phase, by name."""
        self.milestones: dict[str, int] = {}
        self.activities: list[PlannedActivity] = []
        self.case_types: list[PlannedCaseType] = []

    def plan(self) -> Plan:
        shifts: list[PlannedShift] = []
        pools = [self.pool(name, shifts) for name in self.scenario.pools]
        for name in self.scenario.case_types:
            self.versions(name)
        tables = self.tables
        return Plan(
            scenario=self.scenario,
            origin=tables.origin,
            measured_from_at=(tables.first - tables.origin).days * DAY,
            end_at=tables.end_at,
            days=tables.days,
            working_hours=tables.sessions(None),
            hours=tables.hours,
            case_types=tuple(self.case_types),
            activities=tuple(self.activities),
            milestones=tuple(self.milestones),
            gates=tuple(map(tables.gate_table, self.gates)),
            trips=tuple(tables.trip_table(*trip) for trip in self.trips),
            pools=tuple(pools),
            shifts=tuple(shifts),
            queues=tuple(self.queues),
            num_servers=sum(shift.servers for shift in shifts),
        )

    # -- servers ----------------------------------------------------------------------------------

    def pool(self, name: str, shifts: list[PlannedShift]) -> PlannedPool:
        first = len(shifts)
        staffed = self.staffed(name)
        for shift_name in dict.fromkeys(name for _, pool in staffed for name in pool.shifts):
            groups = _groups(self.staffing(shift_name, staffed))
            for number, (servers, hours, stretches) in enumerate(groups, start=1):
                shifts.append(
                    PlannedShift(
                        f"{shift_name}@{number}" if number > 1 else shift_name,
                        self.pool_index[name],
                        servers,
                        shifts[-1].first_server + shifts[-1].servers if shifts else 0,
                        within(self.tables.sessions(hours), stretches),
                    )
                )
        pool = self.scenario.pools[name]
        return PlannedPool(
            name=name,
            shifts=tuple(range(first, len(shifts))),
            pauses=pool.at_shift_end == "pause",
            at_closing=pool.at_closing,
            room=pool.room,
        )

    def staffed(self, name: str) -> list[tuple[Stretch, Pool]]:
        """A pool in each phase; one that a reform removes goes on for those who began before."""
        found: list[tuple[Stretch, Pool]] = []
        for stretch, phase in self.phases:
            if name in phase.scenario.pools:
                found.append((stretch, phase.scenario.pools[name]))
            elif found:
                found.append((stretch, found[-1][1]))
        return found

    def staffing(
        self, shift_name: str, staffed: Sequence[tuple[Stretch, Pool]]
    ) -> Iterator[tuple[Stretch, int, str | None]]:
        """When a shift has how many servers, and their hours."""
        for (begin, end), pool in staffed:
            shift = pool.shifts.get(shift_name)
            if shift is None:
                continue
            steps = shift.servers
            if not isinstance(steps, dict):
                steps = {self.tables.origin: steps}
            since = sorted(steps)
            begins = [0, *map(self.tables.instant, since[1:]), end]
            for date, stretch in zip(since, itertools.pairwise(begins), strict=True):
                cut = max(stretch[0], begin), min(stretch[1], end)
                if cut[0] < cut[1]:
                    yield cut, steps[date], shift.hours

    # -- cases ------------------------------------------------------------------------------------

    def versions(self, name: str) -> None:
        """A case type as it is for those who come in each phase, neighbours that are alike as one.

        They are case types of one name, which share their draws.
        """
        runs: list[tuple[Stretch, int, CaseType]] = []
        """When, the phase in which it begins, and what."""
        for number, ((begin, end), phase) in enumerate(self.phases):
            case_type = phase.scenario.case_types.get(name)
            if case_type is None:
                continue
            if runs and runs[-1][0][1] == begin and self.is_alike(name, runs[-1][1], number):
                runs[-1] = ((runs[-1][0][0], end), *runs[-1][1:])
            else:
                runs.append(((begin, end), number, case_type))
        before = 0.0
        for stretch, number, case_type in runs:
            planned = self.case_type(name, case_type, stretch, number, before)
            before += max((rate.total for rate in planned.arrivals.rates), default=0.0)
            self.case_types.append(planned)

    def is_alike(self, name: str, first: int, second: int) -> bool:
        """Whether a case type is the same in two phases, with all that it names."""
        one, other = (self.phases[number][1].scenario for number in (first, second))
        case_type = one.case_types[name]
        trips = {a.trip for a in case_type.activities.values() if a.trip is not None}
        profile = case_type.arrivals.profile
        by_value = profile.values() if isinstance(profile, dict) else [{None: profile}]
        profiles = {name for names in by_value for name in names.values() if name is not None}
        return (
            self.states(name, first) == self.states(name, second)
            and all(self.trip_indices[first][t] == self.trip_indices[second][t] for t in trips)
            and all(one.profiles[name] == other.profiles[name] for name in profiles)
        )

    def trip_index(self, scenario: Scenario) -> dict[str, int]:
        """The trips of a phase by name; those that are as in an earlier one share its table."""
        indices = {}
        for name, trip in scenario.trips.items():
            found = (name, trip, scenario.profiles[trip.profile] if trip.profile else None)
            if found not in self.trips:
                self.trips.append(found)
            indices[name] = self.trips.index(found)
        return indices

    def states(self, name: str, phase: int) -> list[State]:
        """What a case type is for those who begin in a phase, and what becomes of it for them."""
        _, began = self.phases[phase]
        states: list[State] = [(None, began.scenario.case_types[name])]
        for since, case_types in began.moved:
            if case_types[name] != states[-1][1]:
                states.append((since, case_types[name]))
        return states

    def trip(self, name: str | None, since: dt.date | None, phase: int) -> int:
        """The trip of a version that holds since a date, for those who begin in a phase."""
        if name is None:
            return NONE
        number = phase
        while since and self.phases[number][1].since != since:
            number += 1
        return self.trip_indices[number][name]

    def case_type(
        self, name: str, case_type: CaseType, stretch: Stretch, phase: int, before: float
    ) -> PlannedCaseType:
        states = self.states(name, phase)
        found = versions_of(states)
        attributes = tuple(
            (attribute, tuple(shares), np.array(list(shares.values())))
            for attribute, shares in case_type.attributes.items()
        )
        position = {attribute: i for i, (attribute, _, _) in enumerate(attributes)}
        value_index = {
            attribute: {value: i for i, value in enumerate(values)}
            for attribute, values, _ in attributes
        }
        first_activity = len(self.activities)
        conditions = []
        # First versions are numbered as the activities are, then come the others.
        rows = [(activity, versions[0]) for activity, versions in found.items()]
        rows += [(activity, v) for activity, versions in found.items() for v in versions[1:]]
        for activity_name, version in rows:
            activity = version.activity
            conditions.append(
                tuple(
                    (position[key], frozenset(value_index[key][value] for value in values))
                    for key, values in activity.when.items()
                    if key != PASS
                )
            )
            lived = (self.tables.instant(version.since), self.end_of(version.until))
            trip = self.trip(activity.trip, version.since, phase)
            self.activities.append(self.activity(activity_name, activity, lived, trip))
        numbers = {activity: number for number, activity in enumerate(found)}
        later = itertools.count(len(found))
        versions = {
            numbers[activity]: (numbers[activity], *(next(later) for _ in several[1:]))
            for activity, several in found.items()
            if len(several) > 1 or several[0].since or several[0].until
        }
        if isinstance(case_type.priority, dict):
            [(attribute, by_value)] = case_type.priority.items()
            priority_attribute = position[attribute]
            priorities = tuple(by_value[value] for value in value_index[attribute])
        else:
            priority_attribute, priorities = NONE, (case_type.priority,)
        return PlannedCaseType(
            name=name,
            first_activity=first_activity,
            process=self.process(found, order_of(states), phase),
            arrivals=self.arrivals(
                case_type.arrivals,
                self.phases[phase][1].scenario,
                stretch,
                before,
                position,
                value_index,
            ),
            attributes=attributes,
            conditions=tuple(conditions),
            versions=versions,
            priority_attribute=priority_attribute,
            priorities=priorities,
        )

    def end_of(self, until: dt.date | None) -> int:
        return NEVER if until is None else self.tables.instant(until)

    def process(
        self,
        versions: Mapping[str, Sequence[Version]],
        after: Mapping[str, Sequence[str]],
        phase: int,
    ) -> Process:
        """The precedence graph of activities that may have several versions."""
        first = {name: several[0].activity for name, several in versions.items()}
        trips = {
            name: next((v for v in several if v.activity.trip is not None), several[0])
            for name, several in versions.items()
        }
        return process_of(
            {name: a.model_copy(update={"after": after[name]}) for name, a in first.items()},
            [self.trip(v.activity.trip, v.since, phase) for v in trips.values()],
        )

    def activity(self, name: str, activity: Activity, lived: Stretch, trip: int) -> PlannedActivity:
        return PlannedActivity(
            name=name,
            case_type=len(self.case_types),
            lived_from=lived[0],
            lived_until=lived[1],
            queue=self.queue(activity.pool),
            gate=self.gate(activity.gate),
            trip=trip,
            service=law_of(activity.service),
            delay=law_of(activity.delay),
            delay_clock=activity.delay.clock if activity.delay else Clock.CLOCK_TIME,
            patience=law_of(activity.patience),
            is_lost_if_not_served=activity.if_not_served == "lost",
            again=activity.again.probability if activity.again else 0.0,
            milestone=(
                self.milestones.setdefault(activity.milestone, len(self.milestones))
                if activity.milestone
                else NONE
            ),
            documents=activity.documents,
            priority=activity.priority,
        )

    def queue(self, pools: tuple[str, ...]) -> int:
        if not pools:
            return NONE
        key = tuple(self.pool_index[pool] for pool in pools)
        return self.queues.setdefault(key, len(self.queues))

    def gate(self, gate: Gate | None) -> int:
        return NONE if gate is None else self.gates.setdefault(gate, len(self.gates))

    def arrivals(
        self,
        arrivals: Arrivals,
        scenario: Scenario,
        stretch: Stretch,
        before: float,
        position: dict[str, int],
        value_index: dict[str, dict[str, int]],
    ) -> PlannedArrivals:
        tables = self.tables
        rates: tuple[CumulativeRate, ...] = ()
        by_attribute = NONE
        instants = read_only([])
        recorded: dict[int, IntArray] = {}
        if arrivals.per_hour is not None:
            rates = (tables.hour_rate(arrivals.hours, arrivals.per_hour, stretch),)
        elif arrivals.per_working_day is not None:
            if isinstance(arrivals.profile, dict):
                [(attribute, by_value)] = arrivals.profile.items()
                by_attribute = position[attribute]
                names = [by_value[value] for value in value_index[attribute]]
            else:
                assert arrivals.profile is not None
                names = [arrivals.profile]
            rates = tuple(
                tables.profile_rate(scenario.profiles[name], arrivals.per_working_day, stretch)
                for name in names
            )
        elif arrivals.every is not None and arrivals.at is not None:
            instants = tables.every(int(arrivals.every.amount), arrivals.at)
        elif isinstance(arrivals.recorded, dict):
            instants, recorded = self.record(arrivals.recorded, position, value_index)
        # Who comes at another time has a number too: the n-th case has the n-th draws throughout.
        is_now = (stretch[0] <= instants) & (instants < stretch[1])
        instants = read_only(np.where(is_now, instants, NEVER))
        batch = arrivals.batch if isinstance(arrivals.batch, dict) else {str(arrivals.batch): 1.0}
        return PlannedArrivals(
            rates=rates,
            before=before,
            by_attribute=by_attribute,
            instants=instants,
            recorded_attributes=recorded,
            batch_sizes=read_only([int(size) for size in batch]),
            batch_shares=np.array(list(batch.values())),
        )

    def record(
        self,
        columns: dict[str, tuple[str, ...]],
        position: dict[str, int],
        value_index: dict[str, dict[str, int]],
    ) -> tuple[IntArray, dict[int, IntArray]]:
        midnight = dt.datetime.combine(self.tables.origin, dt.time())
        seconds = [
            round((dt.datetime.fromisoformat(text) - midnight).total_seconds())
            for text in columns["arrived_at"]
        ]
        at = np.array(seconds, dtype=np.int64)
        # Rows outside the horizon stay: the n-th row has the n-th draws in every horizon.
        order = np.argsort(at, kind="stable")
        at = at[order]
        attributes = {
            position[name]: read_only(
                np.array([value_index[name][value] for value in values], dtype=np.int64)[order]
            )
            for name, values in columns.items()
            if name != "arrived_at"
        }
        return read_only(at), attributes


def process_of(activities: Mapping[str, Activity], trips: Sequence[int]) -> Process:
    """The precedence graph of activities, numbered as they stand here; each with its trip, or NONE.

    Raises LoopError for a loop without meaning.
    """
    numbers = {name: number for number, name in enumerate(activities)}
    all_of_them = activities.values()
    return make_process(
        after=[[numbers[before] for before in activity.after] for activity in all_of_them],
        again={
            number: [numbers[begin] for begin in activity.again.from_] or [number]
            for number, activity in enumerate(all_of_them)
            if activity.again is not None
        },
        trips=trips,
        passes=[
            activity.when[PASS][0] if PASS in activity.when else None  # type: ignore[misc]
            for activity in all_of_them
        ],
    )


def law_of(law: TimeLaw | None) -> laws.Distribution | None:
    """The distribution that a scenario's time law names, in seconds (or in working days)."""
    if law is None:
        return None
    if law.constant is not None:
        return laws.Constant(_amount(law.constant))
    if law.uniform is not None:
        return laws.Uniform(_amount(law.uniform.low), _amount(law.uniform.high))
    if law.triangular is not None:
        t = law.triangular
        return laws.Triangular(_amount(t.low), _amount(t.mode), _amount(t.high))
    if law.exponential is not None:
        return laws.Exponential(_amount(law.exponential.mean))
    if law.erlang is not None:
        return laws.Erlang(_amount(law.erlang.mean), law.erlang.phases)
    if law.gamma is not None:
        return laws.Gamma(_amount(law.gamma.mean), law.gamma.shape)
    if law.lognormal is not None:
        return laws.LogNormal(_amount(law.lognormal.mean), law.lognormal.cv)
    if law.weibull is not None:
        return laws.Weibull(_amount(law.weibull.mean), law.weibull.shape)
    assert law.empirical is not None
    return laws.Empirical(tuple(_amount(value) for value in law.empirical.values))


def _amount(duration: Duration) -> float:
    return duration.amount if duration.clock is Clock.WORKING_DAYS else duration.seconds


def _groups(
    staffing: Iterable[tuple[Stretch, int, str | None]],
) -> Iterator[tuple[int, str | None, list[Stretch]]]:
    """Servers who are there at the same times: how many, their hours, and in which stretches.

    As many as there are at any time stay throughout, so that who has begun something can end it.
    """
    by_hours: dict[str | None, list[tuple[Stretch, int]]] = {}
    for stretch, servers, hours in staffing:
        by_hours.setdefault(hours, []).append((stretch, servers))
    for hours, found in by_hours.items():
        below = 0
        for level in sorted({servers for _, servers in found if servers}) or [0]:
            yield level - below, hours, [stretch for stretch, n in found if n >= level]
            below = level
