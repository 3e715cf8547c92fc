"""How much of a scenario's answer rests on what is assumed: each group of numbers over its range.

One group moves at a time, to the low and to the high end of its range, on the random numbers of the
scenario as it is: an effect is a paired difference from it. Of some two hundred intervals at 95 %
ten would miss; those of one metric hold together (Bonferroni). What two groups would do together is
not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sim import running
from sim.chosen_metrics import Choice, Key, choose
from sim.comparison import KEPT, verdict
from sim.definition import Definition
from sim.errors import ScenarioError
from sim.experiment import Experiment, Missing
from sim.loading import Loaded
from sim.metric_definitions import METRICS
from sim.offered_load import offered_load
from sim.output_analysis import CONFIDENCE, Estimate
from sim.promises import Published
from sim.sources import Source, load_all
from sim.studies.answers import answer, key_of
from sim.studies.assumptions import IMPOSSIBLE, Assumptions, Group, assumptions
from sim.studies.companions import is_stepped
from sim.studies.moved import moved
from sim.studies.study_files import ANSWERS, RUNS
from sim.tasks import EngineChoice

if TYPE_CHECKING:
    import pandas as pd

RANGE: Final = 0.2
"""How far numbers move for which the file says no range, relative to them."""
AT_ONCE: Final = 10
"""Groups of one experiment, each at both ends."""
AS_IT_IS: Final = "as it is"
SIDES: Final = ("low", "high")

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of runs done and their number in all."""


@dataclass(frozen=True)
class End:
    """What a metric becomes at one end of a group's range."""

    simulated: float
    difference: float
    """From the scenario as it is; mean over replications."""
    low: float
    """Ends of the paired interval; those of one metric hold together (Bonferroni), NaN for one
    replication."""
    high: float
    replications: int
    is_overload: bool = False
    """Whether a pool gets more work than it can do, as none does in the scenario as it is: what
    there is to see then grows with the horizon."""

    @property
    def is_moved(self) -> bool:
        """Whether the interval tells the metric from what it is; one that is not there does not."""
        return math.isfinite(self.low) and not self.low <= 0 <= self.high

    def joint(self, count: int) -> End:
        """With an interval that holds together with so many."""
        own = Estimate(self.difference, (self.high - self.low) / 2, self.replications, CONFIDENCE)
        wide = own.at(1 - (1 - CONFIDENCE) / count)
        return replace(self, low=wide.low, high=wide.high)


NOT_MOVED: Final = End(math.nan, 0.0, 0.0, 0.0, 0)
"""At an end that the numbers have already."""


@dataclass(frozen=True)
class Effect:
    """What a group does to a metric, at both ends of its range."""

    group: Group
    low: End
    high: End

    @property
    def size(self) -> float:
        """The larger of both effects; of a metric without a value at one end, endless."""
        sizes = [abs(end.difference) for end in (self.low, self.high)]
        return math.inf if any(map(math.isnan, sizes)) else max(sizes)

    @property
    def is_moved(self) -> bool:
        """Whether either end can be told from the scenario as it is."""
        return self.size == math.inf or self.low.is_moved or self.high.is_moved


@dataclass(frozen=True, eq=False)
class Ranking:
    """Of one metric: the groups by their effect, the largest first."""

    metric: str
    subject: str
    unit: str
    now: float
    """Mean over replications, of the scenario as it is."""
    published: Published | None
    """The figure that stands beside it, if there is one."""
    effects: tuple[Effect, ...]

    def moving(self) -> list[Effect]:
        """Those that move the metric."""
        return [effect for effect in self.effects if effect.is_moved]

    def upsetting(self) -> list[Effect]:
        """Those at an end of which the published figure is no longer kept."""
        if self.published is None:
            return []
        return [
            effect
            for effect in self.effects
            if not all(self.is_kept(end) for end in (effect.low, effect.high) if end != NOT_MOVED)
        ]

    def is_kept(self, end: End) -> bool:
        """Whether the published figure is met or within tolerance at an end."""
        figure = self.published
        assert figure is not None
        relation = next(
            r for r in ("equals", "at_least", "at_most") if getattr(figure, r) is not None
        )
        told = verdict(
            end.simulated, relation, getattr(figure, relation), figure.tolerance, self.unit
        )
        return told in KEPT


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """How much of the answer rests on what is assumed."""

    loaded: Loaded
    assumptions: Assumptions
    share: float
    replications: int
    seed: int
    rankings: tuple[Ranking, ...]
    missing: tuple[Missing, ...]
    remarks: tuple[str, ...]
    """What is to be said of how it was run, a line each."""
    folder: Path | None

    def tables(self) -> dict[str, pd.DataFrame]:
        """Tidy tables: `effects`, a row a metric, group and end; `groups`; `left_out`."""
        import pandas as pd

        effects = [
            {
                "metric": ranking.metric,
                "subject": ranking.subject,
                "unit": ranking.unit,
                "rank": rank,
                "group": effect.group.key,
                "numbers": effect.group.num_numbers,
                "end": side,
                "value": getattr(effect.group, f"{side}_text"),
                "now": ranking.now,
                **asdict(getattr(effect, side)),
                "is_moved": getattr(effect, side).is_moved,
            }
            for ranking in self.rankings
            for rank, effect in enumerate(ranking.effects, start=1)
            for side in SIDES
        ]
        groups = [
            {
                "group": group.key,
                "label": group.label,
                "numbers": group.num_numbers,
                "from": group.low_text,
                "now": group.now_text,
                "to": group.high_text,
                "range": "stated" if group.is_stated else "usual",
            }
            for group in self.assumptions.groups
        ]
        left_out = [
            {"path": path, "reason": reason} for path, reason in self.assumptions.left_out.items()
        ]
        return {
            "effects": pd.DataFrame(effects),
            "groups": pd.DataFrame(groups),
            "left_out": pd.DataFrame(left_out, columns=["path", "reason"]),
        }


def sensitivity(
    scenario: Source,
    replications: int = 10,
    seed: int = 1,
    *,
    share: float = RANGE,
    metrics: Sequence[str] = (),
    folder: Path | None = None,
    engine: EngineChoice = "auto",
    jobs: int = 1,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Sensitivity:
    """Move every group of assumed numbers of a scenario over its range, one at a time.

    share    how far numbers move for which the file says no range, relative to them; 0 to 1.
    metrics  which are looked at, see `chosen_metrics.choose`; without any those of published
             figures, and of quantiles of days the mean too, which is no step function; without
             published figures those of promises, or those that lead a report.
    folder   keeps what is done: the same call goes on from there.

    Raises ScenarioError for a metric that there is none of, and what `sim.run` raises.
    """
    if not 0 < share < 1:
        raise ValueError(f"a range lies between 0 and 1, not at {share:g}")
    [loaded] = load_all([scenario]).values()
    choice = choose(metrics, {loaded.name: loaded})
    assumed = assumptions(loaded, share)
    chunks = [assumed.groups[n : n + AT_ONCE] for n in range(0, len(assumed.groups), AT_ONCE)]
    # Nothing is assumed: the scenario alone.
    chunks = chunks or [()]
    answers: list[dict[str, Any]] = []
    for number, groups in enumerate(chunks):
        told = _part(progress, number, len(chunks), replications * len(_ends(assumed.groups)))

        def compute(
            groups: Sequence[Group] = groups, told: Progress | None = told
        ) -> dict[str, Any]:
            return _moved_one_by_one(
                *(loaded, groups, choice, replications, seed, folder, engine, jobs, told, say)
            )

        about = [(group.key, group.low, group.high) for group in groups]
        key = key_of(loaded, seed, "sensitivity", about, replications, choice.named)
        kept = None if folder is None else folder / ANSWERS
        answers.append(answer(kept, key, compute))
    impossible = {key for found in answers for key in found["impossible"]}
    rankings = tuple(_rankings(loaded, assumed.groups, impossible, answers))
    missing = tuple(Missing(**one) for found in answers for one in found["missing"])
    remarks = tuple(dict.fromkeys(remark for found in answers for remark in found["remarks"]))
    assumed = assumed.without(impossible, IMPOSSIBLE)
    return Sensitivity(
        loaded, assumed, share, replications, seed, rankings, missing, remarks, folder
    )


def _ends(groups: Sequence[Group]) -> list[tuple[Group, str]]:
    """What is run: each end of each group that is not what the numbers are already."""
    return [
        (group, side)
        for group in groups
        for side in SIDES
        if getattr(group, f"{side}_text") != group.now_text
    ]


def _part(progress: Progress | None, number: int, count: int, total: int) -> Progress | None:
    """Progress of one of so many experiments."""
    if progress is None:
        return None
    return lambda done, of: progress(max(1, round(total * (number + done / of) / count)), total)


def _moved_one_by_one(
    loaded: Loaded,
    groups: Sequence[Group],
    choice: Choice,
    replications: int,
    seed: int,
    folder: Path | None,
    engine: EngineChoice,
    jobs: int,
    progress: Progress | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The scenario and what becomes of it under each group, as JSON has it."""
    scenarios = {AS_IT_IS: loaded}
    impossible = []
    for group in groups:
        try:
            ends = {
                f"{group.key} {side}": moved(loaded, getattr(group, side), f"{group.key} {side}")
                for one, side in _ends([group])
            }
        except ScenarioError:
            impossible.append(group.key)
        else:
            scenarios |= ends
    kept = None
    if folder is not None:
        kept = folder / RUNS / Definition.of(scenarios, seed).digest[:16]
    experiment = running.run(
        scenarios,
        replications,
        seed,
        folder=kept,
        tables=False,
        engine=engine,
        jobs=jobs,
        progress=progress,
        say=say,
    )
    keys = _keys(experiment, loaded, choice)
    found = experiment.estimates
    now = {
        (str(row["metric"]), str(row["subject"])): row
        for row in found[found["scenario"] == AS_IT_IS].to_dict("records")
    }
    ends_found: list[dict[str, Any]] = []
    if len(scenarios) > 1:
        table = experiment.differences(AS_IT_IS).to_dict("records")
        rows = {(r["scenario"], r["metric"], r["subject"]): r for r in table}
        ends_found = [
            {
                "scenario": name,
                "key": list(key),
                "end": {
                    "simulated": float(row["scenario_mean"]),
                    "difference": float(row["difference"]),
                    "low": float(row["low"]),
                    "high": float(row["high"]),
                    "replications": int(row["replications"]),
                    "is_overload": bool(_overloads(scenarios[name]) - _overloads(loaded)),
                },
            }
            for name in list(scenarios)[1:]
            for key in keys
            if (row := rows.get((name, *key))) is not None
        ]
    return {
        "now": [[list(key), str(now[key]["unit"]), float(now[key]["mean"])] for key in keys],
        "ends": ends_found,
        "impossible": impossible,
        "missing": [asdict(one) for one in experiment.missing],
        "remarks": experiment.remarks,
    }


def _overloads(loaded: Loaded) -> set[str]:
    """Pools with a load of 1 or more."""
    return {load.pool for load in offered_load(loaded.scenario) if load.is_overload}


def _keys(experiment: Experiment, loaded: Loaded, choice: Choice) -> list[Key]:
    """Metric and subject of what is looked at, in the order of the tables."""
    scenarios = {AS_IT_IS: loaded}
    own = experiment.metrics[experiment.metrics["scenario"] == AS_IT_IS]
    if choice.named:
        return choice.keys(own, scenarios)
    wanted: dict[Key, None] = {}
    for figure in loaded.scenario.whole.published.values():
        wanted[figure.metric, figure.subject] = None
        if is_stepped(figure.metric):
            wanted[f"{figure.metric.rpartition('_')[0]}_mean", figure.subject] = None
    there = dict.fromkeys(zip(own["metric"], own["subject"], strict=True))
    if not wanted:
        leading = choice.keys(own, scenarios)
        of_promises = [key for key in leading if METRICS[key[0]].subjects == ("promise",)]
        return of_promises or leading
    return [key for key in wanted if key in there]


def _rankings(
    loaded: Loaded,
    groups: Sequence[Group],
    impossible: set[str],
    answers: Sequence[dict[str, Any]],
) -> list[Ranking]:
    ends = {
        (one["scenario"], *one["key"]): End(**one["end"])
        for found in answers
        for one in found["ends"]
    }
    published = {(f.metric, f.subject): f for f in loaded.scenario.whole.published.values()}
    rankings = []
    for (metric, subject), unit, now in answers[0]["now"]:
        mine = [key for key, end in ends.items() if key[1:] == (metric, subject)]
        estimable = [key for key in mine if math.isfinite(ends[key].low)]
        ends |= {key: ends[key].joint(len(estimable)) for key in estimable}
        effects = [
            Effect(
                group,
                *(ends.get((f"{group.key} {side}", metric, subject), NOT_MOVED) for side in SIDES),
            )
            for group in groups
            if group.key not in impossible
        ]
        effects.sort(key=lambda effect: -effect.size)
        figure = published.get((metric, subject))
        rankings.append(Ranking(metric, subject, unit, now, figure, tuple(effects)))
    return rankings
