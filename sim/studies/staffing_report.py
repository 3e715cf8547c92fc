"""What `hall staff` shows: the staff, how it keeps the promises, its neighbours, the frontier."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from sim.labels import Labels, title
from sim.metric_definitions import METRICS
from sim.numbers import Number, percent, replications_text
from sim.report_parts import note, plain_table
from sim.studies.goals import Goal
from sim.studies.posts import Staff
from sim.studies.staff_findings import Measured, Staffing
from sim.studies.staff_tables import staff_rows
from sim.texts import one_line
from sim.time_tables import horizon_dates


def staffing_report(staffing: Staffing) -> RenderableType:
    """Everything in the order in which it is asked."""
    return Group(
        _header(staffing),
        Text(),
        _staff_table(staffing),
        Text(),
        _promise_table(staffing),
        Text(),
        _neighbour_table(staffing),
        Text(),
        _level_table(staffing),
        Text(),
        *(note(line) for line in guarantee(staffing)),
    )


def _header(staffing: Staffing) -> RenderableType:
    scenario = staffing.loaded.scenario
    heading = Text(one_line(staffing.loaded.name), "bold")
    if scenario.label:
        heading.append(f"  {one_line(scenario.label.text())}", "not bold")
    begins, first, last = horizon_dates(scenario)
    warm_up = f", simulated from {begins}" if begins < first else ""
    runs = f"check of {replications_text(staffing.replications)}, seed {staffing.seed}"
    lines = [f"{first} to {last}{warm_up}; demand {staffing.demand}; {runs}"]
    chosen, today = staffing.chosen.cost, staffing.today.cost
    lines.append(f"cheapest staff that keeps the promises: cost {chosen:g} (today {today:g})")
    return Group(heading, *(note(line) for line in lines))


def _staff_table(staffing: Staffing) -> RenderableType:
    labels = Labels.of({staffing.loaded.name: staffing.loaded})
    has_costs = any(post.cost != 1 for post in staffing.posts)
    columns = ("^today", "^found", "^change", *["^cost of one"] * has_costs)
    table = plain_table("servers of", *columns, "^load today", "^load", "^first guess", "^floor")
    for post, row in zip(staffing.posts, staff_rows(staffing), strict=True):
        label = one_line(labels.pools[post.pool])
        change = row["chosen"] - row["today"]
        table.add_row(
            label if post.is_only else f"{label}, {one_line(post.shift)}",
            str(row["today"]),
            str(row["chosen"]),
            f"{change:+d}" if change else "",
            *[f"{post.cost:g}"] * has_costs,
            f"{row['load_today']:.2f}",
            f"{row['load_chosen']:.2f}",
            str(row["first_guess"]),
            str(row["floor"]),
        )
    table.add_row("cost", f"{staffing.today.cost:g}", f"{staffing.chosen.cost:g}")
    return table


def _promise_table(staffing: Staffing) -> RenderableType:
    labels = Labels.of({staffing.loaded.name: staffing.loaded})
    table = plain_table("promise", "^level", "^today", "^found", "^bound", "verdict")
    for kept, before in zip(staffing.chosen.promises, staffing.today.promises, strict=True):
        goal = kept.goal
        bound = kept.low if goal.relation == ">=" else kept.high
        table.add_row(
            f"{title(goal.metric)}: {one_line(labels.subject(goal.metric, goal.subject))}",
            f"{goal.relation} {goal.level_text}",
            _number(goal, before.mean),
            _number(goal, kept.mean),
            f"{goal.relation} {_number(goal, _possible(goal, bound))}",
            kept.held,
        )
    return table


def _neighbour_table(staffing: Staffing) -> RenderableType:
    names = [f"^{_short(goal)}" for goal in staffing.goals]
    table = plain_table("one server fewer or more in", "^servers", "^cost", *names, "verdict")
    for one in staffing.neighbours:
        post = staffing.posts[one.post]
        found = one.measured
        values = [_number(kept.goal, kept.mean) for kept in found.promises]
        table.add_row(
            one_line(post.name)
            if one.change < 0 or found.staff[one.post] == post.least + 1
            else "",
            f"{found.staff[one.post]}",
            f"{found.cost:g}",
            *(values or ["-"] * len(names)),
            _verdict(found),
        )
    return table


def _verdict(found: Measured) -> str:
    """Such as `broken: opening`."""
    if not found.promises:
        return "load 1 or more"
    names = [_short(kept.goal) for kept in found.promises if kept.held == found.held]
    return found.held if found.held == "kept" else f"{found.held}: {', '.join(names)}"


def _level_table(staffing: Staffing) -> RenderableType:
    first = staffing.goals[0]
    others = [f"^{_short(goal)}" for goal in staffing.goals[1:]]
    table = plain_table(
        f"!{_short(first)}", "^cost", "^estimate", *others, "verdict", "staff, where it is another"
    )
    for level in staffing.levels:
        asked = f"{level.goal.relation} {level.goal.level_text}"
        found = level.measured
        if found is None:
            table.add_row(asked, "-", "-", *["-"] * len(others), "more servers do not keep it")
            continue
        means = [_number(kept.goal, kept.mean) for kept in found.promises]
        other = _differences(staffing, found.staff)
        table.add_row(asked, f"{found.cost:g}", *means, _verdict(found), other)
    return table


def _differences(staffing: Staffing, staff: Staff) -> str:
    triples = zip(staffing.posts, staffing.chosen.staff, staff, strict=True)
    changed = [
        f"{one_line(post.name)} {new} (not {old})" for post, old, new in triples if old != new
    ]
    return ", ".join(changed) or "as found"


def _short(goal: Goal) -> str:
    """A promise of the scenario by its name, another with its metric."""
    subject = one_line(goal.subject)
    return subject if goal.metric == "on_time_share" else f"{title(goal.metric)}: {subject}"


def _number(goal: Goal, value: float) -> str:
    metric = METRICS[goal.metric]
    text = Number(metric, 2, (value,)).text(value)
    return f"{text} %" if metric.is_share and text != "-" else text


def _possible(goal: Goal, bound: float) -> float:
    return min(max(bound, 0.0), 1.0) if METRICS[goal.metric].is_share else bound


def guarantee(staffing: Staffing) -> list[str]:
    """What is sure, and what is not, a line each."""
    checked = [one for one in staffing.neighbours if one.is_checked]
    undecided = [
        one_line(staffing.posts[one.post].name)
        for one in checked
        if one.measured.held == "undecided"
    ]
    kept = [one_line(staffing.posts[n.post].name) for n in checked if n.measured.held == "kept"]
    confidence = percent(round(staffing.joint_confidence, 6))
    number = f"check {staffing.check}, " if staffing.check > 1 else ""
    lines = [
        f"kept, broken ({number}on replications that had no part in the search): these verdicts on "
        f"the staff found and on one fewer hold together at {confidence}, one-sided t intervals, "
        "Bonferroni; over all checks that a study may need: at 95 %",
    ]
    if undecided:
        lines.append(
            f"undecided: with one fewer in {', '.join(undecided)} the promises may be kept or not; "
            "more replications (-r) tell"
        )
    if kept:
        lines.append(f"one fewer in {', '.join(kept)} was kept here, and not in a later check")
    not_tried = staffing.answer.not_tried
    if not_tried == 0:
        lines.append(
            "cheapest: on the search's replications no cheaper staff keeps the promises: none of "
            f"the {len(staffing.tried)} tried, nor any other if one server more never makes one "
            "worse; loads of 1 or more are no staff"
        )
    elif not_tried is None:
        lines.append(
            "cheapest: no staff with a single server fewer was confirmed; the check found this "
            "one, and other exchanges were not tried"
        )
    else:
        lines.append(
            f"cheapest: no staff with a single server fewer, nor any of the {len(staffing.tried)} "
            f"tried; {not_tried:,} cheaper exchanges were not tried"
        )
    engines = "SimPy"
    if staffing.engine == "compiled":
        engines = (
            "compiled; replication 0 identical in both engines for the first guess, the staff "
            "found and one fewer; the others differ from these in numbers of servers only"
        )
    lines += [
        "one more, today, other levels: the check's replications, each verdict by itself at 95 %",
        "first guess: Erlang's formula; floor: the fewest that do while all other pools have "
        "abundant servers",
        f"engine: {engines}",
    ]
    return lines
