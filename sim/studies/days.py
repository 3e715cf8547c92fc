"""Where the days go: lead times split along critical paths, estimated over replications.

What a piece of a path is, is said in `critical_path`. Here they become hours of each finished case
(of each batch, where a promise is of batches): their sum over all finished cases of a replication,
divided by the number of these. Nights and days off count as closed hours, so that the other parts
are working hours, of which `DaysStudy.working_day_hours` make a working day.

A *time* is a promise of the scenario; where nothing is promised, that of a case type from arrival
to departure. Cases that are unfinished at the end of the horizon are left out, with their share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from sim import running
from sim.comparison import DIFFERENCES, paired_differences
from sim.critical_path import Part, Span, spans_of
from sim.errors import Mark, Problem, ScenarioError
from sim.experiment import Experiment
from sim.labels import Labels, activity_labels
from sim.loading import Loaded
from sim.name_checks import among
from sim.output_analysis import estimate
from sim.planning import compile_plan
from sim.results import add_study
from sim.sources import Sources, load_all
from sim.tasks import EngineChoice
from sim.texts import one_line
from sim.timeline import DAY, HOUR
from sim.tree import shown

if TYPE_CHECKING:
    import pandas as pd

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of tasks done and their number in all."""

PARTS: Final = tuple(part.name.lower() for part in Part)
CLOSED: Final = Part.CLOSED.name.lower()
LEAD_TIME: Final = "lead_time"
ALL: Final = "all"
"""All parts together, in differences and in estimates."""
WHAT: Final = ["case_type", "activity", "pool", "during", "part"]
"""What an estimate is of; empty where it is over all of them."""
GROUPS: Final = {
    "part": ["part"],
    "during": ["during"],
    "during and part": ["during", "part"],
    "activity": ["case_type", "activity"],
    "activity and part": ["case_type", "activity", "during", "part"],
    "pool": ["pool"],
    "pool and part": ["pool", "during", "part"],
}
"""By what estimates are made."""
INTERVALS: Final = ["hours", "low", "high", "share", "share_low", "share_high", "replications"]


@dataclass(frozen=True, eq=False)
class DaysStudy:
    """Where the days went in an experiment."""

    experiment: Experiment
    times: tuple[str, ...]
    """Those that were asked for."""

    @cached_property
    def spans(self) -> dict[str, dict[str, Span]]:
        """By scenario and time, between which milestones it lies."""
        scenarios = self.experiment.scenarios.items()
        return {name: spans_of(loaded.scenario) for name, loaded in scenarios}

    @cached_property
    def lead_times(self) -> pd.DataFrame:
        """scenario, replication, time, finished, unfinished (cases or batches), lead_time_hours.

        Hours are the mean of a finished case; NaN if none is finished.
        """
        import pandas as pd

        rows = [
            (name, number, split.span, split.num_finished, split.num_unfinished, split.lead_time)
            for name, splits in self.experiment.splits.items()
            for number, of_replication in splits.items()
            for split in of_replication
        ]
        columns = ["scenario", "replication", "time", "finished", "unfinished", "seconds"]
        table = pd.DataFrame(rows, columns=columns)
        finished = table["finished"].where(table["finished"] > 0, np.nan)
        table["lead_time_hours"] = table.pop("seconds") / HOUR / finished
        return table

    @cached_property
    def parts(self) -> pd.DataFrame:
        """scenario, replication, time, what it is of (`WHAT`), hours of each finished case.

        pool is empty where none is concerned. part is `trip`, `gate`, `queue`, `service`, `delay`
        or `closed`; during says what the case was in, so that of `closed` it says when the hall was
        closed. No row is 0 hours. The rows of a replication and a time add up to `lead_times`.
        """
        import pandas as pd

        rows = [
            (name, number, split.span, *astuple(part)[:-1], part.time / HOUR / split.num_finished)
            for name, splits in self.experiment.splits.items()
            for number, of_replication in splits.items()
            for split in of_replication
            for part in split.parts
        ]
        return pd.DataFrame(rows, columns=["scenario", "replication", "time", *WHAT, "hours"])

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """Means over replications with their intervals, the largest first.

        scenario, time, by (`all` or a key of `GROUPS`), what it is of (`WHAT`; empty: of all),
        hours of each finished case, low, high, share of the lead time (0 to 1), share_low,
        share_high, replications (in which a case is finished).
        """
        import pandas as pd

        rows: list[tuple[object, ...]] = []
        for name, time, mine, lead_time in self._by_time():
            rows.append((name, time, ALL, *_what({}), *_intervals(lead_time, lead_time)))
            for by, keys in GROUPS.items():
                found = [
                    (_what(dict(zip(keys, key, strict=True))), _intervals(hours, lead_time))
                    for key, hours in _by_replication(mine, keys, lead_time.index)
                ]
                # A sort keeps the order of what is of the same size.
                found.sort(key=lambda row: -row[1][0])
                rows += [(name, time, by, *what, *intervals) for what, intervals in found]
        return pd.DataFrame(rows, columns=["scenario", "time", "by", *WHAT, *INTERVALS])

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Paired differences of parts and lead times from the first scenario, in hours.

        Columns as `comparison.DIFFERENCES`, where the metric is `lead_time` or a part, and the
        subject a time that both scenarios have. A part that neither has is left out.
        """
        import pandas as pd

        tables = []
        for name, time, mine, lead_time in self._by_time():
            values = {LEAD_TIME: lead_time} | dict.fromkeys(PARTS, 0 * lead_time)
            for (part,), hours in _by_replication(mine, ["part"], lead_time.index):
                values[part] = hours
            for part, hours in values.items():
                table = pd.DataFrame({"replication": hours.index, "value": hours.to_numpy()})
                of: dict[str, str] = {"scenario": name, "metric": part, "subject": time}
                tables += [table.assign(**of, unit="h")] * bool(len(table))
        reference = self.experiment.reference
        if not any((table["scenario"] == reference).all() for table in tables):
            return pd.DataFrame(columns=DIFFERENCES)
        found = paired_differences(pd.concat(tables), reference)
        is_there = (found["reference_mean"] > 0) | (found["scenario_mean"] > 0)
        return found[is_there].reset_index(drop=True)

    def _by_time(self) -> Iterator[tuple[str, str, pd.DataFrame, pd.Series[float]]]:
        """Scenario, time, their rows of `parts`, and lead times by replication, if there are."""
        for (name, time), of_time in self.lead_times.groupby(["scenario", "time"], sort=False):
            is_mine = (self.parts["scenario"] == name) & (self.parts["time"] == time)
            lead_time = of_time.set_index("replication")["lead_time_hours"].dropna()
            yield str(name), str(time), self.parts[is_mine], lead_time

    @cached_property
    def time_labels(self) -> dict[str, str]:
        """Those of promises, or of case types where nothing is promised."""
        labels = Labels.of(self.experiment.scenarios)
        return labels.case_types | labels.promises

    @cached_property
    def activity_labels(self) -> dict[tuple[str, str, str], str]:
        """By time, case type and activity; with the case type where a time is of several."""
        case_types = Labels.of(self.experiment.scenarios).case_types
        found: dict[tuple[str, str, str], str] = {}
        for key, label in activity_labels(self.experiment.scenarios).items():
            for spans in self.spans.values():
                for time, span in spans.items():
                    if key[0] in span.case_types:
                        whose = f"{one_line(case_types[key[0]])}: " * (len(span.case_types) > 1)
                        found.setdefault((time, *key), whose + label)
        return found

    def unfinished_share(self, scenario: str, time: str) -> float:
        """Of the cases (or batches) of all replications; NaN if there are none."""
        mine = self.lead_times
        mine = mine[(mine["scenario"] == scenario) & (mine["time"] == time)]
        total = mine["finished"].sum() + mine["unfinished"].sum()
        return float(mine["unfinished"].sum() / total) if total else float("nan")

    @cached_property
    def working_day_hours(self) -> dict[str, float]:
        """By scenario, how many hours it is open on a working day, in the mean; NaN if never."""
        found = {}
        for name, loaded in self.experiment.scenarios.items():
            plan = compile_plan(loaded.scenario)
            days = int((plan.days.dates * DAY >= plan.measured_from_at).sum())
            seconds = plan.working_hours.working_time_between(plan.measured_from_at, plan.end_at)
            found[name] = float(seconds) / HOUR / days if seconds else float("nan")
        return found


def study_days(
    scenarios: Sources,
    replications: int = 10,
    seed: int = 1,
    *,
    promises: Sequence[str] = (),
    folder: str | Path | None = None,
    engine: EngineChoice = "auto",
    jobs: int = 1,
    cluster: str | None = None,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> DaysStudy:
    """Run every scenario so many times, and split the lead times of its finished cases.

    scenarios  as `running.run` takes them, and so are the other arguments.
    promises   which times are of interest; all of them unless some are named.
    folder     keeps replications, tables and the figure; what is there is not done again.

    Raises ScenarioError for a promise that none of the scenarios has, and what `running.run` does.
    """
    loaded = load_all(scenarios)
    times = _chosen(promises, loaded)
    experiment = running.run(
        loaded,
        replications,
        seed,
        folder=folder,
        engine=engine,
        jobs=jobs,
        cluster=cluster,
        splits=True,
        progress=progress,
        say=say,
    )
    study = DaysStudy(experiment, times)
    if experiment.folder is not None:
        _write(study, experiment.folder)
    return study


def _chosen(promises: Sequence[str], loaded: Mapping[str, Loaded]) -> tuple[str, ...]:
    known = dict.fromkeys(
        time for document in loaded.values() for time in spans_of(document.scenario)
    )
    problems = [
        Problem(
            Mark(f"--promise {shown(name)}"),
            "",
            f"no promise '{shown(name)}'.{among('promise', name, known)}",
        )
        for name in promises
        if name not in known
    ]
    if problems:
        raise ScenarioError(problems)
    return tuple(name for name in known if not promises or name in promises)


def _write(study: DaysStudy, folder: Path) -> None:
    """Tables of all times, whichever were asked for, and the figure."""
    tables = {
        "days_parts": study.parts,
        "days_lead_times": study.lead_times,
        "days_estimates": study.estimates,
        "days_differences": study.differences,
    }

    def draw() -> bytes:
        from sim.plot_style import rendered
        from sim.studies.days_plot import days_figure

        names = Labels.of(study.experiment.scenarios).scenarios
        unfinished = [
            f"{one_line(name)} {time} {100 * study.unfinished_share(name, time):.1f} %"
            for name, spans in study.spans.items()
            for time in spans
        ]
        caption = f"Seed {study.experiment.seed}. Unfinished, left out: {', '.join(unfinished)}."
        return rendered(
            days_figure(study.estimates, study.time_labels, study.activity_labels, caption, names)
        )

    add_study(folder, tables, {"days": draw})


def _by_replication(
    parts: pd.DataFrame, keys: list[str], replications: pd.Index[int]
) -> list[tuple[tuple[str, ...], pd.Series[float]]]:
    """Hours by replication of each key that there is in one; 0 in the others."""
    found = []
    for key, of_key in parts.groupby(keys, sort=False):
        hours = of_key.groupby("replication")["hours"].sum()
        names = tuple(str(name) for name in key)
        found.append((names, hours.reindex(replications, fill_value=0.0)))
    return found


def _what(found: Mapping[str, object]) -> tuple[object, ...]:
    return tuple(found.get(column, "") for column in WHAT)


def _intervals(hours: pd.Series[float], lead_time: pd.Series[float]) -> tuple[float, ...]:
    in_hours = estimate(hours.to_numpy())
    share = estimate((hours / lead_time.where(lead_time > 0)).to_numpy())
    ends = (in_hours.mean, in_hours.low, in_hours.high, share.mean, share.low, share.high)
    return (*ends, in_hours.num_replications)
