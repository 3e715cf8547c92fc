"""Running an attribution: every combination of groups as one experiment, kept in its folder.

Beside what an experiment keeps there (see `results`):

    attribution.json       what was asked, so that the same question is answered from the tables
    shares, whole, interactions, combinations
                           tables, see `Attribution`; each as .csv and .parquet
    attribution.png        the waterfall
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sim import table_files
from sim.definition import versions
from sim.errors import Mark, Problem, ScenarioError
from sim.plot_style import rendered
from sim.results import add_files, damaged_files, file_names, read_sums
from sim.running import Progress, run
from sim.sources import as_data
from sim.store import locked
from sim.studies.attribution import (
    Attribution,
    Sort,
    changes_of,
    check_metrics,
    combinations_of,
    default_metrics,
)
from sim.studies.attribution_plot import attribution_figure
from sim.studies.reform_groups import Switches
from sim.tasks import EngineChoice
from sim.tree import plain

if TYPE_CHECKING:
    import pandas as pd

ABOUT: Final = "attribution.json"
FIGURE: Final = "attribution.png"
METRICS: Final = "metrics.parquet"
TABLES: Final = ("shares", "whole", "interactions", "combinations")
"""Each is a method of `Attribution`."""
MANY: Final = 32
"""Scenarios of which loading takes long enough to say so."""


def attribute(
    switches: Switches,
    metrics: str | Sequence[str] = (),
    replications: int = 10,
    seed: int = 1,
    *,
    orders: int | None = None,
    sort: Sort = "date",
    folder: str | Path | None = None,
    engine: EngineChoice = "auto",
    jobs: int = 1,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Attribution:
    """Run every combination of groups, and tell how much of each change is whose.

    metrics  `METRIC` or `METRIC:SUBJECT`; usually those of `default_metrics`.
    orders   sample so many orders of the groups, and run the combinations that they pass through;
             usual with more than `MOST_EXACT` groups.
    sort     bars of the figure by the date of the groups, or by size.
    folder   keeps what is done, with tables and figure; what is there is not done again.

    Everything is loaded and checked before anything runs. The other arguments are those of
    `running.run`, and so is what it raises.

    Raises ScenarioError for a combination that cannot be used, and for metrics of which there is
    nothing to tell, and TypeError for what are no switches.
    """
    if not isinstance(switches, Switches):
        raise TypeError(
            f"Switches are wanted, not {type(switches).__name__}: sim.studies.reform_groups makes "
            "them, by switches('hall.yaml', until='2018-12-31')"
        )
    named = [metrics] if isinstance(metrics, str) else list(metrics) or default_metrics(switches)
    ends = {switches.before.name: switches.before, switches.after.name: switches.after}
    check_metrics(named, ends)
    coalitions, sampled = combinations_of(len(switches.groups), orders, seed)
    num_orders = None if sampled is None else len(sampled)
    path = None if folder is None else Path(folder)
    asked = {"question": digest(switches, seed, num_orders), "replications": replications}
    found = Attribution(
        switches, coalitions, (), seed, replications, num_orders=num_orders, folder=path
    )
    known = None if path is None else _kept(path, asked)
    if path is None or known is None:
        if len(coalitions) >= MANY:
            count = f"{len(switches.groups)} groups of reforms"
            say(f"loading {len(coalitions)} scenarios, combinations of {count}")
        loaded = switches.load(map(int, coalitions))
        check_metrics(named, loaded)
        experiment = run(
            loaded,
            replications,
            seed,
            folder=path,
            engine=engine,
            jobs=jobs,
            details=False,
            progress=progress,
            say=say,
        )
        table = experiment.metrics
        found = replace(found, remarks=experiment.remarks, missing=experiment.missing)
    else:
        table = _table(path)
        found = replace(found, remarks=tuple(known["remarks"]))
    changes, remarks = changes_of(table, switches, named, coalitions, sampled)
    if not changes:
        message = f"no value to attribute in {', '.join(named)}; another --metric has some"
        raise ScenarioError([Problem(Mark("hall attribute"), "", "; ".join([*remarks, message]))])
    found = replace(found, changes=changes)
    if path is not None:
        _write(found, {**asked, "metrics": named, "sort": sort}, sort)
    return replace(found, remarks=(*found.remarks, *remarks))


def default_folder(switches: Switches, seed: int, orders: int | None) -> Path:
    """Where an answer is kept unless told: named after the scenarios and what defines it."""
    _, sampled = combinations_of(len(switches.groups), orders, seed)
    names = file_names([switches.before.name, switches.after.name])
    ends = "-to-".join(names.values()).encode()[:100].decode(errors="ignore")
    found = digest(switches, seed, None if sampled is None else len(sampled))
    return Path("results", f"attribution-{ends}-{found[:8]}")


def digest(switches: Switches, seed: int, num_orders: int | None) -> str:
    """SHA-256 of all that can change a number, as far as it is known without loading everything.

    The scenarios at both ends, their reforms and groups, the settings, the seed, the versions.
    """
    ends = [switches.before, switches.after]
    data = {
        "seed": seed,
        "orders": num_orders,
        "versions": dict(versions()),
        "settings": list(switches.settings),
        "names": [loaded.name for loaded in ends],
        "scenarios": [as_data(loaded.scenario) for loaded in ends],
        "trees": [plain(loaded.tree) for loaded in ends],
        "groups": {
            group.name: [plain(reform.tree) for reform in group.reforms]
            for group in switches.groups
        },
    }
    return hashlib.sha256(json.dumps(data, ensure_ascii=False).encode()).hexdigest()


def _kept(folder: Path, asked: dict[str, Any]) -> dict[str, Any] | None:
    """What is noted of the same question in a folder whose files are as they were written."""
    needed = {ABOUT, METRICS}
    if not needed <= read_sums(folder).keys() or needed & damaged_files(folder).keys():
        return None
    noted: dict[str, Any] = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    is_same = all(noted.get(key) == value for key, value in asked.items())
    return noted if is_same and not noted["missing"] else None


def _table(folder: Path) -> pd.DataFrame:
    import pandas as pd

    return pd.read_parquet(folder / METRICS)


def _write(found: Attribution, asked: dict[str, Any], sort: Sort) -> None:
    """Write tables and figure, unless the same ones are there."""
    folder = found.folder
    assert folder is not None
    about = {**asked, "missing": len(found.missing), "remarks": list(found.remarks)}
    text = (json.dumps(about, ensure_ascii=False, indent=2) + "\n").encode()
    names = (ABOUT, FIGURE, *(f"{name}.{kind}" for name in TABLES for kind in ("csv", "parquet")))
    is_there = {*names} <= read_sums(folder).keys() and not {*names} & damaged_files(folder).keys()
    if is_there and (folder / ABOUT).read_bytes() == text:
        return
    with locked(folder):
        add_files(folder, _files(found, sort))
        # Last: from now on the folder has the whole answer.
        add_files(folder, [(ABOUT, text)])


def _files(found: Attribution, sort: Sort) -> Iterator[tuple[str, bytes]]:
    yield from table_files.files_of({name: getattr(found, name)() for name in TABLES})
    yield FIGURE, rendered(attribution_figure(found, sort))
