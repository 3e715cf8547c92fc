"""What a staffing study found as tidy tables and plain data, and as files in its results folder.

    staff        a row a post: today, first guess, floor and chosen servers, cost, load
    promises     a row a staff (today, chosen, its neighbours) and promise: estimate, verdict
    frontier     a row a level of the first promise: the cheapest staff, what it costs and keeps
    tried        a row a staff of the search and promise, on the search's own replications
    staffing.json, frontier.png, and search/ and checks/ with the replications themselves
    SHA256SUMS   of all these but search/ and checks/

Shares are 0 to 1. Bounds are one-sided, each at the confidence of its row.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sim import table_files
from sim.comparison import unit_of
from sim.numbers import records
from sim.offered_load import offered_load
from sim.planning import compile_plan
from sim.results import add_files, damaged_files, read_sums
from sim.store import locked
from sim.studies.posts import Staff, plan_with
from sim.studies.staff_findings import Kept, Staffing

if TYPE_CHECKING:
    import pandas as pd

JSON, FIGURE = "staffing.json", "frontier.png"


def staff_text(staffing: Staffing, staff: Staff) -> str:
    """A staff in one line: `windows 3, reviewers 2`."""
    pairs = zip(staffing.posts, staff, strict=True)
    return ", ".join(f"{post.name} {number}" for post, number in pairs)


def tables(staffing: Staffing) -> dict[str, pd.DataFrame]:
    """Every table by its name."""
    import pandas as pd

    return {
        "staff": pd.DataFrame(staff_rows(staffing)),
        "promises": pd.DataFrame(_promise_rows(staffing)),
        "frontier": pd.DataFrame(_level_rows(staffing)),
        "tried": pd.DataFrame(_tried_rows(staffing)),
    }


def staff_rows(staffing: Staffing) -> list[dict[str, Any]]:
    """A row a post; the load is of its pool."""
    plan = compile_plan(staffing.loaded.scenario)
    today, chosen = (
        {load.pool: load.load for load in offered_load(plan_with(plan, staffing.posts, staff))}
        for staff in (staffing.today.staff, staffing.chosen.staff)
    )
    return [
        {
            "pool": post.pool,
            "shift": post.shift,
            "today": post.today,
            "chosen": number,
            "first_guess": post.guess,
            "floor": floor,
            "least": post.least,
            "most": post.most,
            "cost_of_one": post.cost,
            "load_today": today[post.pool],
            "load_chosen": chosen[post.pool],
        }
        for post, number, floor in zip(
            staffing.posts, staffing.chosen.staff, staffing.answer.floor, strict=True
        )
    ]


def _promise_rows(staffing: Staffing) -> Iterator[dict[str, Any]]:
    measured = [("today", staffing.today), ("chosen", staffing.chosen)]
    for one in staffing.neighbours:
        change = "one fewer" if one.change < 0 else "one more"
        measured.append((f"{change} in {staffing.posts[one.post].name}", one.measured))
    for name, found in measured:
        about = {"staff": name, "servers": staff_text(staffing, found.staff), "cost": found.cost}
        if not found.promises:
            empty = dict.fromkeys(("mean", "low", "high", "confidence"), math.nan)
            empty |= dict.fromkeys(("difference", "difference_low", "difference_high"), math.nan)
            for goal in staffing.goals:
                key = {"metric": goal.metric, "subject": goal.subject, "unit": unit_of(goal.metric)}
                asked = {"relation": goal.relation, "level": goal.level}
                yield about | key | asked | empty | {"replications": 0, "verdict": "load 1 or more"}
        for kept in found.promises:
            yield about | _kept_row(kept)


def _kept_row(kept: Kept) -> dict[str, Any]:
    return {
        "metric": kept.goal.metric,
        "subject": kept.goal.subject,
        "unit": unit_of(kept.goal.metric),
        "relation": kept.goal.relation,
        "level": kept.goal.level,
        "mean": kept.mean,
        "low": kept.low,
        "high": kept.high,
        "confidence": kept.confidence,
        "difference": kept.difference.mean,
        "difference_low": kept.difference.low,
        "difference_high": kept.difference.high,
        "replications": kept.with_value,
        "verdict": kept.held,
    }


def _level_rows(staffing: Staffing) -> Iterator[dict[str, Any]]:
    for level in staffing.levels:
        found = level.measured
        row = {"level": level.goal.level, "cost": math.nan, "servers": "", "verdict": "no staff"}
        if found is not None:
            servers = staff_text(staffing, found.staff)
            row |= {"cost": found.cost, "servers": servers, "verdict": found.held}
        for number, goal in enumerate(staffing.goals):
            mean = found.promises[number].mean if found is not None else math.nan
            row[f"{goal.metric}:{goal.subject}"] = mean
        yield row


def _tried_rows(staffing: Staffing) -> Iterator[dict[str, Any]]:
    for tried in staffing.tried:
        for goal, mean in zip(staffing.goals, tried.means, strict=True):
            yield {
                "servers": staff_text(staffing, tried.staff),
                "cost": tried.cost,
                "metric": goal.metric,
                "subject": goal.subject,
                "unit": unit_of(goal.metric),
                "mean": mean,
                "replications": tried.replications,
                "is_best": tried.is_best,
            }


def as_json(staffing: Staffing) -> dict[str, Any]:
    """All of it as plain data, in full precision; null where there is no number."""
    return {
        "scenario": staffing.loaded.name,
        "demand": staffing.demand,
        "seed": staffing.seed,
        "replications": staffing.replications,
        "promises": [goal.text for goal in staffing.goals],
        "engine": staffing.engine,
        "check": staffing.check,
        "joint_confidence": staffing.joint_confidence,
        "cost": staffing.chosen.cost,
        "cost_today": staffing.today.cost,
        "verdict": staffing.chosen.held,
        "cheaper_not_tried": staffing.answer.not_tried,
        "results": None if staffing.folder is None else str(staffing.folder),
        "tables": {name: records(table) for name, table in tables(staffing).items()},
    }


def write_staffing(staffing: Staffing) -> None:
    """Write tables and figure into the study's folder, unless they are there as they were written.

    Raises ResultsError.
    """
    folder = staffing.folder
    assert folder is not None
    text = (json.dumps(as_json(staffing), ensure_ascii=False, indent=2) + "\n").encode()
    is_there = {JSON, FIGURE} <= read_sums(folder).keys() and not damaged_files(folder)
    if is_there and (folder / JSON).read_bytes() == text:
        return
    with locked(folder):
        add_files(folder, _files(staffing))
        # Last: from now on the folder has the whole answer.
        add_files(folder, [(JSON, text)])


def _files(staffing: Staffing) -> Iterator[tuple[str, bytes]]:
    from sim.plot_style import rendered
    from sim.studies.staffing_plot import frontier_figure

    yield from table_files.files_of(tables(staffing))
    yield FIGURE, rendered(frontier_figure(staffing))
