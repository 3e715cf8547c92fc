"""The assumed numbers of a scenario in groups that move together, each over its range.

What belongs together is one group: the times of an activity, the shares of an attribute, the
weights of a profile. A range is what the statement of the number says, in brackets: `assumed, as in
halls of this size (20 to 40 min)`, or `(+-30 %)`; otherwise it is relative, the same for all:

-   times, rates, probabilities and variation become that much smaller and larger;
-   whole numbers, such as servers, too, by at least 1, and stay 1 or more (0 stays 0 or more);
-   of an attribute the first value's share moves, and the others fill up what is left;
-   weights of a profile are raised to a power below and above 1: flatter and more peaked;
-   times of day, such as those of gates and the end of the day, move by half an hour.

Case types that no promise is about are there for the load they bring: their activities are taken
together, and so is the variation of all times.

What is no number of the hall (the horizon, published figures) is left out, and said to be; so is
what dated reforms say: a number that they change moves up to then.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sim.chosen_metrics import promised_case_types
from sim.durations import format_time_of_day, parse_duration
from sim.errors import Mark
from sim.fields import Label
from sim.loading import Loaded, provenance
from sim.scenario import Scenario
from sim.studies.moved import Kind, ValuePath, leaves, read_value
from sim.timeline import DAY, MINUTE
from sim.tree import Scalar, ScalarValue, dotted

HALF_AN_HOUR: Final = 30 * MINUTE
MOST_PROBABLE: Final = 99.0
"""Per cent: what is always sent back never ends."""
Values = Mapping[ValuePath, ScalarValue]


@dataclass(frozen=True)
class Group:
    """Assumed numbers that move together."""

    key: str
    """Dotted path of what they belong to, and what of it."""
    label: str
    """English, and Chinese in a line of its own if there is some."""
    num_numbers: int
    """How many numbers these are, as `hall check` counts them."""
    low: Values
    high: Values
    low_text: str
    now_text: str
    high_text: str
    is_stated: bool
    """Whether the file says the range."""


@dataclass(frozen=True)
class Assumptions:
    """What of a scenario is assumed."""

    groups: tuple[Group, ...]
    left_out: Mapping[str, str]
    """Why, by dotted path of a number."""

    @property
    def num_moved(self) -> int:
        """How many numbers the groups have."""
        return sum(group.num_numbers for group in self.groups)

    def without(self, keys: Collection[str], reason: str) -> Assumptions:
        """What is left without some groups."""
        groups = tuple(group for group in self.groups if group.key not in keys)
        gone = [path for group in self.groups if group.key in keys for path in group.low]
        return Assumptions(groups, {**self.left_out, **dict.fromkeys(map(dotted, gone), reason)})

    def reasons(self) -> list[tuple[str, int]]:
        """Why numbers are left out, and how many, the commonest first."""
        return Counter(self.left_out.values()).most_common()


def assumptions(loaded: Loaded, share: float) -> Assumptions:
    """The assumed numbers of a scenario.

    share  how far numbers move for which the file says no range, relative to them; 0 to 1.
    """
    assumed = dict.fromkeys(row.path for row in provenance(loaded) if row.kind == "assumed")
    promised = promised_case_types({loaded.name: loaded}) or set(loaded.scenario.case_types)
    left_out: dict[str, str] = dict.fromkeys(assumed, "lists of more than 50 values")
    members: dict[tuple[str, ...], dict[ValuePath, Scalar]] = {}
    first: dict[Mark, tuple[str, ...]] = {}
    """The group of what stands at a place of a file; copies by `like` go with it."""
    for path, leaf in leaves(loaded.tree):
        if dotted(path) not in assumed:
            continue
        found = _group_of(path, leaf, promised)
        if isinstance(found, str):
            left_out[dotted(path)] = found
            continue
        del left_out[dotted(path)]
        key = first.setdefault(leaf.mark, found) if leaf.mark.line else found
        members.setdefault(key, {})[path] = leaf
    groups = []
    for key, mine in members.items():
        group = _group(loaded, key, mine, share)
        if isinstance(group, Group):
            groups.append(group)
        else:
            left_out |= dict.fromkeys(map(dotted, mine), group)
    return Assumptions(tuple(groups), left_out)


# Which numbers belong together

_NOT_OF_THE_HALL: Final = (
    "no number of the hall: horizon, calendar, dates, promises, stocks, published figures"
)
_NO_RANGE: Final = "priorities, documents, dates, batches by share: no range makes sense"
_DATED: Final = "numbers of dated reforms: only what holds until then moves"
IMPOSSIBLE: Final = "the scenario allows no other value"


def _group_of(path: ValuePath, leaf: Scalar, promised: Collection[str]) -> tuple[str, ...] | str:
    """What a number is of, its last part what kind it is; or why it is left out.

    promised  case types of which each activity is a group; those of others are taken together.
    """
    match path:
        case ("case_types", str(name), "activities", str(step), *rest):
            what = _of_activity(rest, leaf)
            if what is None or what == "variation":
                return ("case_types", what) if what else _NO_RANGE
            is_apart = name in promised
            return ("case_types", name, *(("activities", step) if is_apart else ()), what)
        case ("dated_reforms", *_):
            return _DATED
        case ("case_types", str(name), "arrivals", "per_working_day" | "per_hour" | "every", *_):
            return ("case_types", name, "arrivals")
        case ("case_types", str(name), "arrivals", "batch" | "at" as part):
            return ("case_types", name, part)
        case ("case_types", str(name), "attributes", str(attribute), str()):
            return ("case_types", name, "attributes", attribute, "attribute")
        case ("trips", str(name), "comes"):
            return ("trips", name, "comes")
        case ("pools", str(name), "shifts", _, "servers", *_):
            return ("pools", name, "servers")
        case ("pools", str(name), "room"):
            return ("pools", name, "room")
        case ("profiles", str(name), "half_hours" | "weekdays" | "demand" as part, _):
            return ("profiles", name, part)
        case ("hours", str(name), *_, int()):
            return ("hours", name, "hours")
        case ("case_types", *_):
            return _NO_RANGE
    return _NOT_OF_THE_HALL


def _of_activity(rest: Sequence[str | int], leaf: Scalar) -> str | None:
    match rest:
        case [("service" | "delay" | "patience") as part, *law]:
            if law[-1:] in (["cv"], ["shape"]):
                return "variation"
            return part if isinstance(leaf.value, str) else None
        case ["again", "probability"]:
            return "again"
        case ["gate", "at", *_]:
            return "gate"
    return None


_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "service": ("service time", "办理时长"),
    "delay": ("time that passes", "等待时长"),
    "patience": ("patience", "耐心"),
    "variation": ("variation of service times", "办理时长的离散程度"),
    "again": ("sent back", "退回概率"),
    "gate": ("hour", "时刻"),
    "arrivals": ("arrivals", "到达数量"),
    "batch": ("batch", "每批件数"),
    "at": ("hour", "时刻"),
    "comes": ("how readily people come", "到场概率"),
    "servers": ("servers", "人数"),
    "room": ("room to wait", "候位数"),
    "half_hours": ("shape of the day", "一天内的分布"),
    "weekdays": ("shape of the week", "一周内的分布"),
    "demand": ("demand by date", "分时段业务量"),
    "hours": ("end of the day", "结束时刻"),
}


# How far they move


def _group(
    loaded: Loaded, key: tuple[str, ...], members: Mapping[ValuePath, Scalar], share: float
) -> Group | str:
    """The group, or why it cannot move."""
    stated = [_stated(leaf) for leaf in members.values()]
    try:
        low, high = (_end(key[-1], members, share, side) for side in (-1, 1))
    except ValueError:
        return IMPOSSIBLE
    sides: tuple[tuple[int, Values | None], ...] = ((-1, low), (0, None), (1, high))
    low_text, now_text, high_text = (_text(key[-1], members, v, side, share) for side, v in sides)
    return Group(
        key=".".join(key),
        label=_label(loaded.scenario, key, members),
        num_numbers=len(members),
        low=low,
        high=high,
        low_text=low_text,
        now_text=now_text,
        high_text=high_text,
        is_stated=any(stated),
    )


def _end(
    what: str, members: Mapping[ValuePath, Scalar], share: float, side: int
) -> dict[ValuePath, ScalarValue]:
    """The values of a group at the low end of its range (side -1) or at the high one (1)."""
    if what == "attribute":
        return _shares(members, share, side)
    if what in ("half_hours", "weekdays"):
        power = 1 + side * share
        return {path: float(str(leaf.value)) ** power for path, leaf in members.items()}
    if what == "hours":
        return _hours(members, side)
    return {path: _moved_number(what, leaf, share, side) for path, leaf in members.items()}


def _moved_number(what: str, leaf: Scalar, share: float, side: int) -> ScalarValue:
    read = read_value(leaf.value)
    if read is None:
        raise ValueError(f"{leaf.value!r} is no number")
    kind, number = read
    if (stated := _stated(leaf)) is not None and stated[0] != "share":
        if stated[0] == kind:
            return kind.written(stated[1] if side < 0 else stated[2])
    elif stated is not None:
        share = stated[2]
    if kind.word == "time of day":
        return kind.written(min(max(number + side * HALF_AN_HOUR, 0), DAY - MINUTE))
    if what in _WHOLE or kind.unit == "working days":
        least = min(1, number)  # where there are none, there are not fewer
        return kind.written(max(least, number + side * max(1, round(share * number))))
    number *= 1 + side * share
    if what in ("again", "comes"):
        # A share of 0 to 1, however it is written.
        most = MOST_PROBABLE if what == "again" else 100.0
        return min(number, most if kind.word == "share" else most / 100) / (
            100 if kind.word == "share" else 1
        )
    return Kind("number").written(number) if kind.word == "whole number" else kind.written(number)


_WHOLE: Final = ("servers", "room", "batch")


def _shares(
    members: Mapping[ValuePath, Scalar], share: float, side: int
) -> dict[ValuePath, ScalarValue]:
    """The first value's share moved, the others filling up what is left in their proportions."""
    attributes: dict[ValuePath, dict[ValuePath, float]] = {}
    for path, leaf in members.items():
        read = read_value(leaf.value)
        if read is None:
            raise ValueError(f"{leaf.value!r} is no share")
        number = read[1] / 100 if read[0].word == "share" else read[1]
        attributes.setdefault(path[:-1], {})[path] = number
    found: dict[ValuePath, ScalarValue] = {}
    for numbers in attributes.values():
        first, *others = numbers
        rest = 1 - numbers[first]
        if not others or not rest:
            raise ValueError("a single value has no share that could move")
        new = min(numbers[first] * (1 + side * share), 1.0)
        shares = {first: new} | {path: numbers[path] * (1 - new) / rest for path in others[:-1]}
        # What is left to the last, so that they add up.
        found |= {**shares, others[-1]: max(0.0, 1 - sum(shares.values()))}
    return found


def _hours(members: Mapping[ValuePath, Scalar], side: int) -> dict[ValuePath, ScalarValue]:
    """The latest end of each list of sessions, half an hour earlier or later."""
    lists: dict[ValuePath, list[ValuePath]] = {}
    for path in members:
        lists.setdefault(path[:-1], []).append(path)
    found: dict[ValuePath, ScalarValue] = {path: leaf.value for path, leaf in members.items()}
    for paths in lists.values():
        last = max(paths, key=lambda path: _session(members[path])[1])
        opens, closes = _session(members[last])
        closes = min(closes + side * HALF_AN_HOUR, DAY)
        found[last] = f"{format_time_of_day(opens)}-{format_time_of_day(closes)}"
    return found


def _session(leaf: Scalar) -> tuple[int, int]:
    begin, _, end = str(leaf.value).partition("-")
    read = read_value(begin), read_value(end)
    if read[0] is None or read[1] is None:
        raise ValueError(f"{leaf.value!r} is no session")
    return round(read[0][1]), round(read[1][1])


# Ranges that a file states

_NUMBER = r"\d+(?:\.\d+)?"
_RELATIVE: Final = re.compile(rf"\((?:\+-|±)\s*({_NUMBER})\s*%\)")
_FROM_TO: Final = re.compile(rf"\(({_NUMBER}|\d+:\d+)\s+to\s+({_NUMBER}|\d+:\d+)\s*([a-z% ]*)\)")


def _stated(leaf: Scalar) -> tuple[Kind | str, float, float] | None:
    """The range in a statement: (`share`, -s, s), or a kind with its lowest and highest number."""
    source = leaf.source or ""
    if match := _RELATIVE.search(source):
        return "share", -float(match[1]) / 100, float(match[1]) / 100
    match, read = _FROM_TO.search(source), read_value(leaf.value)
    if not match or read is None:
        return None
    kind, number = read
    low, high = (_stated_number(end, match[3].strip(), kind) for end in match.groups()[:2])
    # A statement stands over numbers of other kinds too, and over others that it does not mean.
    if low is None or high is None or not low <= number <= high:
        return None
    return kind, low, high


def _stated_number(text: str, unit: str, kind: Kind) -> float | None:
    try:
        if kind.unit:
            duration = parse_duration(f"{text} {unit}")
            return duration.amount if duration.unit == kind.unit else None
    except ValueError:
        return None
    read = read_value(f"{text} %" if unit == "%" else text) if unit in ("", "%") else None
    if read is None and kind.word in ("number", "whole number") and not unit:
        return float(text)
    return read[1] if read is not None and read[0] == kind else None


# Texts


def _text(
    what: str,
    members: Mapping[ValuePath, Scalar],
    values: Values | None,
    side: int,
    share: float,
) -> str:
    """What the numbers of a group are at an end, or now."""
    paths = list(members)
    if what == "hours":
        return f"{side * HALF_AN_HOUR // MINUTE:+d} min" if side else "now"
    if what in ("half_hours", "weekdays"):
        return {-1: "flatter", 0: "now", 1: "more peaked"}[side]
    distinct = {leaf.mark for leaf in members.values()}
    if what == "attribute" or len(distinct) == 1 or len(members) == 1:
        shown = members[paths[0]].value if values is None else values[paths[0]]
        is_share = what in ("attribute", "again", "comes") and isinstance(shown, float)
        return f"{100 * float(str(shown)):.4g} %" if is_share else _short(shown)
    stated = [_stated(leaf) for leaf in members.values()]
    if len(set(stated)) == 1 and stated[0] is not None and stated[0][0] == "share":
        share = stated[0][2]
    kinds = {read[0].word for leaf in members.values() if (read := read_value(leaf.value))}
    if kinds == {"time of day"}:
        return f"{side * HALF_AN_HOUR // MINUTE:+d} min" if side else "now"
    return f"{100 * side * share:+.4g} %" if side else "now"


def _short(value: ScalarValue) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _label(scenario: Scenario, key: Sequence[str], members: Iterable[ValuePath]) -> str:
    """What people read, in both languages where the scenario has labels in both."""
    names: list[tuple[str, Label | None]] = []
    match key:
        case ("case_types", name, "activities", step, _):
            case_type = scenario.case_types[name]
            names = [(name, case_type.label), (step, case_type.activities[step].label)]
        case ("case_types", name, _, *_):
            names = [(name, scenario.case_types[name].label)]
        case ("trips", name, _):
            names = [(name, scenario.trips[name].label)]
        case ("pools", name, _):
            names = [(name, scenario.pools[name].label)]
        case ("profiles" | "hours", name, _):
            names = [(name, None)]
        case _:
            names = [("", Label(en="All", zh="全部"))]
    if key[-1] == "attribute":
        value = str(next(iter(members))[-1])
        words = (f"share of {key[-2]}: {value}", f"{key[-2]}: {value} 占比")
    else:
        words = _WORDS[key[-1]]
    english = ", ".join(label.en if label else name for name, label in names)
    chinese = "，".join((label.zh if label else None) or name for name, label in names)
    has_chinese = any(label and label.zh for _, label in names)
    text = f"{english}: {words[0]}"
    return f"{text}\n{chinese}：{words[1]}" if has_chinese else text
