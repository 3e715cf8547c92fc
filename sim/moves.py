"""Cases in progress that move over to another process: what they live through from when on.

A reform may move those over who began before it. What such a case has come to by then, it ends as
it was; what it comes to from that day on, it lives through as those do who come later, and what the
reform abolishes it passes over, without time or visit. So an activity has *versions*, each with the
stretch of time in which a case must come to it to live through it.

A case in the middle of its process must find its way whichever day it is: activities keep their
order, who is sent back is sent back to the same place, and milestones stay where they are. A reform
that changes any of these can only `keep` cases in progress.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sim.activities import PASS, Activity
from sim.scenario import CaseType


@dataclass(frozen=True)
class Version:
    """An activity as it is for those who come to it from one day up to another."""

    since: dt.date | None
    """First day; None for the beginning."""
    until: dt.date | None
    """The day after the last one; None for the end."""
    activity: Activity


State = tuple[dt.date | None, CaseType]
"""What a case type is since a day, for those who began before the first state but one."""


def versions_of(states: Sequence[State]) -> dict[str, list[Version]]:
    """The versions of each activity, in the order of the file that has it first.

    Of neighbours that are alike but for what they come after there is one.
    """
    days = [since for since, _ in states]
    found: dict[str, list[Version]] = {}
    for (since, case_type), until in zip(states, [*days[1:], None], strict=True):
        for name, activity in case_type.activities.items():
            versions = found.setdefault(name, [])
            last = versions[-1] if versions else None
            if (
                last is not None
                and last.until == since
                and _essence(last.activity) == _essence(activity)
            ):
                versions[-1] = Version(last.since, until, last.activity)
            else:
                versions.append(Version(since, until, activity))
    return found


def order_of(states: Sequence[State]) -> dict[str, tuple[str, ...]]:
    """What each activity comes after, in any of the states."""
    after: dict[str, dict[str, None]] = {}
    for _, case_type in states:
        for name, activity in case_type.activities.items():
            after.setdefault(name, {}).update(dict.fromkeys(activity.after))
    return {name: tuple(before) for name, before in after.items()}


def _essence(activity: Activity) -> Activity:
    """What a case lives through there."""
    return activity.model_copy(update={"after": (), "label": None})


# What keeps cases from moving over


def obstacles(before: CaseType, after: CaseType) -> Iterator[tuple[tuple[str, ...], str]]:
    """Why a case that began under one process cannot go on under another: where, and what."""
    old, new = before.activities, after.activities
    for name, values in _asked_for(after).items():
        missing = values - set(before.attributes.get(name, ()))
        if missing:
            message = f"those who began before have no '{name}: {min(missing)}'"
            yield ("attributes", name), message
    earlier, later = _comes_after(old), _comes_after(new)
    common = [name for name in new if name in old]
    for one, other in itertools.permutations(common, 2):
        if (one in earlier[other]) != (one in later[other]):
            begin = "no longer comes" if one in earlier[other] else "comes"
            yield ("activities", other), f"it {begin} after '{one}'"
            break
    for name in {**old, **new}:
        one_again, other_again = (
            None if activities.get(name) is None else activities[name].again
            for activities in (old, new)
        )
        if one_again != other_again:
            yield ("activities", name), "who is sent back here, or where to, changes"
    for name in common:
        if old[name].when.get(PASS) != new[name].when.get(PASS):
            yield ("activities", name), "the pass of the loop in which it happens changes"
        if old[name].again is not None and old[name].when != new[name].when:
            yield ("activities", name), "who is sent back here changes"
        trips = {activity.trip for activity in (old[name], new[name])} - {None}
        if len(trips) > 1:
            yield ("activities", name), "it becomes part of another trip"
    if _milestones(old) != _milestones(new):
        moved = set(_milestones(old).items()) ^ set(_milestones(new).items())
        name, milestone = sorted(moved)[0]
        yield ("activities", name), f"the milestone '{milestone}' moves"


def _asked_for(case_type: CaseType) -> dict[str, set[str]]:
    """The values of attributes that activities ask for."""
    asked: dict[str, set[str]] = {}
    for activity in case_type.activities.values():
        for name, values in activity.when.items():
            if name != PASS:
                asked.setdefault(name, set()).update(values)
    return asked


def _milestones(activities: Mapping[str, Activity]) -> dict[str, str]:
    return {name: a.milestone for name, a in activities.items() if a.milestone is not None}


def _comes_after(activities: Mapping[str, Activity]) -> dict[str, set[str]]:
    """For each activity those that come before it, near or far."""
    before: dict[str, set[str]] = {}

    def visit(name: str) -> set[str]:
        if name not in before:
            before[name] = set()
            for other in activities[name].after:
                before[name] |= {other} | visit(other)
        return before[name]

    for name in activities:
        visit(name)
    return before
