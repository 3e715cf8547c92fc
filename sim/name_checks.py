"""Names in a scenario: each must be the name of something that is there."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from sim.activities import PASS, Activity
from sim.metric_definitions import CHANNEL, HALL, METRICS
from sim.model_errors import KEY_PART
from sim.promises import ARRIVED, DEPARTED, Flow
from sim.recordings import ARRIVED_AT
from sim.scenario import CaseType, Scenario
from sim.tree import shown, suggest

Path = tuple[str | int, ...]
Finding = tuple[Path, str]
"""Where something is wrong, and what."""

PASSES: Final = ("first", "later")
_PLURALS: Final = {"hours": "Hours", "activity": "Activities"}
MOST_NAMES: Final = 12
"""How many names a message lists."""


def check_names(scenario: Scenario) -> Iterator[Finding]:
    """Every name that names nothing, and every attribute's value that does not exist."""
    yield from _unknown(("working_hours",), "hours", scenario.working_hours, scenario.hours)
    for name, trip in scenario.trips.items():
        path: Path = ("trips", name)
        yield from _unknown((*path, "hours"), "hours", trip.hours, scenario.hours)
        yield from _unknown((*path, "profile"), "profile", trip.profile, scenario.profiles)
    for name, pool in scenario.pools.items():
        for shift_name, shift in pool.shifts.items():
            path = ("pools", name, "shifts", shift_name, "hours")
            yield from _unknown(path, "hours", shift.hours, scenario.hours)
    for name, case_type in scenario.case_types.items():
        path = ("case_types", name)
        yield from _check_arrivals(scenario, case_type, (*path, "arrivals"))
        if isinstance(case_type.priority, dict):
            yield from _by_attribute(case_type, case_type.priority, (*path, "priority"))
        for activity_name, activity in case_type.activities.items():
            here = (*path, "activities", activity_name)
            yield from _check_activity(scenario, case_type, activity, here)
    yield from _check_promises(scenario)
    yield from _check_published(scenario)
    yield from _check_subjects(scenario)


def _check_arrivals(scenario: Scenario, case_type: CaseType, path: Path) -> Iterator[Finding]:
    arrivals = case_type.arrivals
    yield from _unknown((*path, "hours"), "hours", arrivals.hours, scenario.hours)
    if isinstance(arrivals.profile, dict):
        here = (*path, "profile")
        yield from _by_attribute(case_type, arrivals.profile, here)
        for attribute, names in arrivals.profile.items():
            for value, name in names.items():
                at = (*here, attribute, value)
                yield from _unknown(at, "profile", name, scenario.profiles)
    else:
        yield from _unknown((*path, "profile"), "profile", arrivals.profile, scenario.profiles)
    if isinstance(arrivals.recorded, dict):
        yield from _check_recorded(case_type, arrivals.recorded, (*path, "recorded"))


def _check_recorded(
    case_type: CaseType, columns: Mapping[str, Sequence[str]], path: Path
) -> Iterator[Finding]:
    if ARRIVED_AT not in columns:
        yield path, f"no column '{ARRIVED_AT}'.{suggest(ARRIVED_AT, columns)}"
        return
    for number, text in enumerate(columns[ARRIVED_AT]):
        if not _is_instant(text):
            message = f"an instant is written '2015-12-31 09:30', not '{shown(text)}'"
            yield (*path, ARRIVED_AT, number), message
    for name, values in columns.items():
        if name == ARRIVED_AT:
            continue
        here = (*path, name)
        if name not in case_type.attributes:
            yield from _unknown((*here, KEY_PART), "attribute", name, case_type.attributes)
            continue
        if len(values) != len(columns[ARRIVED_AT]):
            yield here, f"{len(columns[ARRIVED_AT])} values are wanted, found {len(values)}"
        for number, value in enumerate(values):
            yield from _unknown((*here, number), "value", value, case_type.attributes[name])


def _is_instant(text: str) -> bool:
    try:
        return dt.datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False


def _by_attribute(
    case_type: CaseType, by_value: Mapping[str, Mapping[str, object]], path: Path
) -> Iterator[Finding]:
    """What is said for each value of an attribute must be said for all, and for no others."""
    for attribute, entries in by_value.items():
        here = (*path, attribute)
        if attribute not in case_type.attributes:
            yield from _unknown((*here, KEY_PART), "attribute", attribute, case_type.attributes)
            continue
        known = case_type.attributes[attribute]
        for value in entries:
            yield from _unknown((*here, value, KEY_PART), "value", value, known)
        missing = [value for value in known if value not in entries]
        if missing:
            yield here, f"nothing is said for {_listed(missing)}"


def _check_activity(
    scenario: Scenario, case_type: CaseType, activity: Activity, path: Path
) -> Iterator[Finding]:
    yield from _all_unknown((*path, "after"), "activity", activity.after, case_type.activities)
    yield from _all_unknown((*path, "pool"), "pool", activity.pool, scenario.pools)
    yield from _unknown((*path, "trip"), "trip", activity.trip, scenario.trips)
    if activity.gate is not None:
        yield from _unknown((*path, "gate", "open"), "hours", activity.gate.open, scenario.hours)
    if activity.again is not None:
        here = (*path, "again", "from")
        yield from _all_unknown(here, "activity", activity.again.from_, case_type.activities)
    if activity.milestone in (ARRIVED, DEPARTED):
        message = f"every case has the milestone '{activity.milestone}' already; take another name"
        yield (*path, "milestone"), message
    for attribute, values in activity.when.items():
        here = (*path, "when", attribute)
        if attribute == PASS:
            if len(values) != 1 or values[0] not in PASSES:
                yield here, f"first or later is wanted, not {_listed(values)}"
        elif attribute not in case_type.attributes:
            known = [*case_type.attributes, PASS]
            yield from _unknown((*here, KEY_PART), "attribute", attribute, known)
        else:
            yield from _all_unknown(here, "value", values, case_type.attributes[attribute])


def _check_promises(scenario: Scenario) -> Iterator[Finding]:
    for name, promise in scenario.promises.items():
        path = ("promises", name)
        here = (*path, "case_types")
        yield from _all_unknown(here, "case type", promise.case_types, scenario.case_types)
        if promise.from_ == promise.to:
            yield path, f"begins and ends with the same milestone '{promise.to}'"
        for key, milestone in (("from", promise.from_), ("to", promise.to)):
            for case_type in promise.case_types:
                if case_type not in scenario.case_types:
                    continue
                known = milestones_of(scenario.case_types[case_type])
                if milestone not in known:
                    hint = f"no milestone '{shown(milestone)}' in case type '{case_type}'."
                    yield (*path, key), hint + among("milestone", milestone, known)
                    break


def milestones_of(case_type: CaseType) -> list[str]:
    """The milestones that cases of a type can have."""
    named = [activity.milestone for activity in case_type.activities.values()]
    return list(dict.fromkeys([ARRIVED, *(name for name in named if name), DEPARTED]))


def subjects_of(scenario: Scenario) -> dict[str, Collection[str]]:
    """What metrics can be of at any time, by kind."""
    whole = scenario.whole
    channels = [
        value
        for phase in scenario.phases
        for case_type in phase.scenario.case_types.values()
        for value in case_type.attributes.get(CHANNEL, ())
    ]
    return {
        "promise": whole.promises,
        "pool": whole.pools,
        "channel": dict.fromkeys(channels),
        "case_type": whole.case_types,
        "stock": whole.stocks,
        "hall": (HALL,),
    }


def check_stocks(scenario: Scenario) -> Iterator[Finding]:
    """Stocks of cases that there are at no time."""
    versions: dict[str, list[CaseType]] = {}
    for phase in scenario.phases:
        for name, case_type in phase.scenario.case_types.items():
            versions.setdefault(name, []).append(case_type)
    for name, stock in scenario.stocks.items():
        yield from _unknown(("stocks", name, "share_of"), "stock", stock.share_of, scenario.stocks)
        for key in ("gains", "losses"):
            for number, flow in enumerate(getattr(stock, key)):
                path = ("stocks", name, key, number)
                here = (*path, "case_types")
                yield from _all_unknown(here, "case type", flow.case_types, versions)
                meant = [v for name in flow.case_types for v in versions.get(name, ())]
                if meant:
                    yield from _check_flow(flow, meant, path)


def _check_flow(flow: Flow, versions: Sequence[CaseType], path: Path) -> Iterator[Finding]:
    milestones = dict.fromkeys(m for version in versions for m in milestones_of(version))
    yield from _unknown((*path, "at"), "milestone", flow.at, list(milestones))
    attributes: dict[str, dict[str, None]] = {}
    for version in versions:
        for attribute, shares in version.attributes.items():
            attributes.setdefault(attribute, {}).update(dict.fromkeys(shares))
    for attribute, values in flow.when.items():
        here = (*path, "when", attribute)
        if attribute not in attributes:
            yield from _unknown((*here, KEY_PART), "attribute", attribute, list(attributes))
        else:
            yield from _all_unknown(here, "value", values, list(attributes[attribute]))


def _check_subjects(scenario: Scenario) -> Iterator[Finding]:
    """Of two subjects with one name, the values of a metric that both have could not be told."""
    subjects = subjects_of(scenario)
    shared: dict[tuple[str, str], str] = {}
    for metric in METRICS.values():
        for kinds in itertools.combinations(metric.subjects, 2):
            shared.setdefault(kinds, metric.name)
    for (kind, other), metric_name in shared.items():
        for name in subjects[kind]:
            if name in subjects[other]:
                is_called = "is the whole hall" if other == HALL else f"is a {other} too"
                message = f"'{shown(name)}' {is_called}, and '{metric_name}' is of both"
                yield (f"{kind}s", name, KEY_PART), f"{message}; take another name"


def _check_published(scenario: Scenario) -> Iterator[Finding]:
    subjects = subjects_of(scenario)
    for name, figure in scenario.published.items():
        path = ("published", name)
        if figure.metric not in METRICS:
            yield from _unknown((*path, "metric"), "metric", figure.metric, METRICS)
            continue
        kinds = METRICS[figure.metric].subjects
        kind = " or ".join(kind.replace("_", " ") for kind in kinds)
        known = [name for kind in kinds for name in subjects[kind]]
        yield from _unknown((*path, "subject"), kind, figure.subject, known)


def _all_unknown(
    path: Path, kind: str, names: Sequence[str], known: Collection[str]
) -> Iterator[Finding]:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield (*path, number), f"'{shown(name)}' is given twice"
        else:
            yield from _unknown((*path, number), kind, name, known)


def _unknown(path: Path, kind: str, name: str | None, known: Collection[str]) -> Iterator[Finding]:
    if name is not None and name not in known:
        yield path, f"no {kind} '{shown(name)}'.{among(kind, name, known)}"


def among(kind: str, name: str, known: Collection[str]) -> str:
    """Which names there are, and which of them may be meant."""
    if not known:
        return " There are none"
    plural = _PLURALS.get(kind, "Names" if " or " in kind else f"{kind}s".capitalize())
    return f"{suggest(name, known)} {plural}: {_listed(list(known))}"


def _listed(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > MOST_NAMES else ""
    return ", ".join(shown(name) for name in names[:MOST_NAMES]) + more
