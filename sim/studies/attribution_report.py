"""What `hall attribute` shows: who changed how much, and in words who needs whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from rich.console import Group as Parts
from rich.console import RenderableType
from rich.text import Text

from sim.labels import Labels, title
from sim.metric_definitions import METRICS
from sim.numbers import Interval, Number, records, replications_text
from sim.output_analysis import Estimate
from sim.report_parts import note, plain_table
from sim.studies.attribution import (
    NEGLIGIBLE,
    Attribution,
    Change,
    Effect,
    Need,
    Partner,
    Sort,
    told,
)
from sim.studies.reform_groups import Group
from sim.texts import one_line

WORTH_TELLING: Final = 0.05
"""Share of the whole change from which on an interaction is told in words."""
MOST_PAIRS: Final = 4
MOST_WAYS: Final = 3
"""Ways to give a group what it needs, as far as they are told."""


def attribution_report(found: Attribution, sort: Sort = "date") -> RenderableType:
    """The groups, then for each metric a table and what it says in words."""
    switches = found.switches
    ends = (switches.before.name, switches.after.name)
    num_reforms = sum(len(group.reforms) for group in switches.groups)
    how = f"all {len(found.coalitions)} combinations"
    if found.num_orders is not None:
        how = f"{len(found.coalitions)} combinations, of {found.num_orders} orders"
    lines = (
        f"{len(switches.groups)} groups of {num_reforms} reforms, {how}",
        f"{replications_text(found.replications)} of each, seed {found.seed}",
    )
    parts: list[RenderableType] = [
        Text(f"From {one_line(ends[0])} to {one_line(ends[1])}", "bold"),
        *(note(line) for line in lines),
        Text(),
        _groups_table(switches.groups),
        Text(),
    ]
    for change in found.changes:
        parts += [_heading(found, change), _table(change, sort)]
        parts += [note(sentence) for sentence in sentences(change)]
        parts.append(Text())
    parts += [note(line) for line in _notes(found)]
    parts += [Text(one_line(remark)) for remark in found.remarks]
    return Parts(*parts)


def _groups_table(groups: tuple[Group, ...]) -> RenderableType:
    table = plain_table("!group", "label", "!since", "reforms")
    for group in groups:
        dates = [r.about.effective for r in group.reforms if r.about.effective is not None]
        reforms = ", ".join(reform.name for reform in group.reforms)
        since = str(min(dates)) if dates else "-"
        table.add_row(group.name, one_line(group.label), since, one_line(reforms))
    return table


def _heading(found: Attribution, change: Change) -> RenderableType:
    labels = Labels.of({"before": found.switches.before, "after": found.switches.after})
    subject = one_line(labels.subject(change.metric, change.subject))
    before, after = (_text(change, value) for value in (change.before, change.after))
    what = title(change.metric)
    # In the words of the metric already, such as `working days, mean`.
    unit = "" if what.startswith(change.unit) else f" ({METRICS[change.metric].unit})"
    return Text(f"{subject}, {what}{unit}: {before} -> {after}")


def _table(change: Change, sort: Sort) -> RenderableType:
    columns = ("!group", "^share", "!95 % interval", "^of the whole", "^alone", "^last")
    table = plain_table(*columns, *["!strongest interaction"] * bool(change.partners))
    for effect in change.sorted_effects(sort):
        partner = effect.strongest
        cells = [_signed(change, effect.share), _interval(change, effect.share)]
        cells += [_of_whole(change, effect), _signed(change, effect.alone)]
        cells.append(_signed(change, effect.last))
        if partner is not None:
            other = partner.other if partner.group is effect.group else partner.group
            more = f"{_signed(change, partner.more)} with {other.name}"
            cells.append(more if _is_at_least(change, partner, NEGLIGIBLE) else "-")
        table.add_row(effect.group.name, *cells)
    whole = change.whole
    all_of_it = ["100 %"] if whole.mean else ["-"]
    table.add_row("all together", _signed(change, whole), _interval(change, whole), *all_of_it)
    return table


def _of_whole(change: Change, effect: Effect) -> str:
    if not change.whole.mean:
        return "-"
    text = f"{100 * effect.share.mean / change.whole.mean:.0f} %"
    return "0 %" if text == "-0 %" else text


def _notes(found: Attribution) -> Iterator[str]:
    yield (
        "share: Shapley value, the mean over all orders in which the groups can come; shares add "
        "up to the whole change"
    )
    if found.replications > 1:
        sampled = "; of orders too, which are sampled" * (found.num_orders is not None)
        yield f"intervals: Student's t over replications, in pairs, each by itself{sampled}"
    else:
        yield "1 replication: no intervals"
    yield "alone: coming first; last: coming after all others"
    if found.num_orders is None:
        yield (
            "interaction: what two do together beyond what each does by itself, the mean over all "
            "that the others do"
        )


# In words


def sentences(change: Change) -> Iterator[str]:
    """Who does nothing alone and what it needs, who helps whom, who does the same."""
    for need in change.needs:
        yield _need_text(change, need)
    pairs = [one for one in change.partners if _is_at_least(change, one, WORTH_TELLING)]
    for pair in pairs[:MOST_PAIRS]:
        yield _pair_text(change, pair)
    if change.idle:
        names = " and ".join(_listed([effect.group.name for effect in change.idle]))
        yield (
            f"{names}: nothing to speak of, whatever the others do (never {100 * NEGLIGIBLE:g} % "
            "of the whole change, or not to be told from 0)"
        )


def _is_at_least(change: Change, pair: Partner, share: float) -> bool:
    """Whether an interaction can be told from nothing, and is this share of the whole change."""
    return told(pair.more) and abs(pair.more.mean) >= share * abs(change.whole.mean)


def _listed(names: list[str]) -> list[str]:
    """The names as two pieces that `and` joins; one if there is but one."""
    return [", ".join(names[:-1]), names[-1]] if len(names) > 1 else names


def _need_text(change: Change, need: Need) -> str:
    ways = [" and ".join(_listed([g.name for g in groups])) for groups in need.partners]
    more = " or others" * (len(ways) > MOST_WAYS)
    wanted = ", or ".join(ways[:MOST_WAYS]) + more
    name = need.effect.group.name
    first = _signed(change, need.effect.alone)
    then = f"{_signed(change, need.with_them)} {_interval(change, need.with_them)}".strip()
    is_other_way = need.effect.alone.mean * need.with_them.mean < 0 and told(need.effect.alone)
    does = "does the opposite" if is_other_way else "does next to nothing"
    return f"{name} {does} alone ({first}); it needs {wanted}: then {then}"


def _pair_text(change: Change, pair: Partner) -> str:
    names = f"{pair.group.name} and {pair.other.name}"
    amount = _number(change, pair.more, is_difference=True).text(abs(pair.more.mean))
    amount += f" {_unit_of_changes(change)}"
    if pair.more.mean * change.whole.mean > 0:
        return f"{names} help each other: together {amount} more than one by one"
    return f"{names} do in part the same: together {amount} less than one by one"


# Numbers


def _unit_of_changes(change: Change) -> str:
    return "% points" if METRICS[change.metric].is_share else change.unit


def _number(change: Change, value: Estimate, is_difference: bool) -> Number:
    row = (value.mean, value.low, value.high)
    return Number(METRICS[change.metric], value.num_replications, row, is_difference)


def _text(change: Change, value: Estimate) -> str:
    return _number(change, value, False).text(value.mean)


def _signed(change: Change, value: Estimate) -> str:
    return _number(change, value, True).signed(value.mean)


def _interval(change: Change, value: Estimate) -> str:
    if not value.is_estimable:
        return ""
    ends = Interval(value.mean, value.low, value.high, value.num_replications)
    return _number(change, value, True).interval(ends)


# As data


def as_json(found: Attribution) -> dict[str, Any]:
    """The same as plain data, in full precision; null where there is no number."""
    tables = {"whole": found.whole(), "shares": found.shares()}
    tables |= {"interactions": found.interactions(), "combinations": found.combinations()}
    return {
        "from": found.switches.before.name,
        "to": found.switches.after.name,
        "seed": found.seed,
        "replications": found.replications,
        "confidence": found.confidence,
        "orders": found.num_orders,
        "groups": [
            {
                "name": group.name,
                "label": group.label,
                "reforms": [reform.name for reform in group.reforms],
            }
            for group in found.switches.groups
        ],
        "sentences": {
            f"{change.metric}:{change.subject}": list(sentences(change)) for change in found.changes
        },
        "remarks": list(found.remarks),
        "missing": [asdict(missing) for missing in found.missing],
        "results": None if found.folder is None else str(found.folder),
        **{name: records(table) for name, table in tables.items()},
    }
