"""Results folders: what was run, the tables that came out, and the figures.

    experiment.json          seed, replications, versions, what each metric is; marks the folder
    scenarios/NAME.yaml      each scenario, every value explicit: runs again as it is
    metrics.csv              one row a value: scenario, replication, metric, subject, unit, value
    estimates.csv            mean and interval over replications
    differences.csv          paired differences from the first scenario
    published.csv            published beside simulated figures
    lead_times.csv, half_hours.csv, visits.csv    distributions, see `Experiment`
    figures/*.png

A folder is written whole or not at all (see `folders`). The same experiment gives the same bytes.
Tables are CSV in UTF-8 with a byte order mark, so that spreadsheets show Chinese; text that a
spreadsheet would take for a formula gets a quote mark in front. Shares are 0 to 1.
"""

from __future__ import annotations

import csv
import importlib.metadata
import json
import os
import platform
import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sim import tables
from sim.durations import parse_time_of_day
from sim.errors import ResultsError, ScenarioError
from sim.experiment import Experiment, load_all
from sim.figures import FIGURE_NAMES, draw_figures
from sim.folders import check_writable, new_folder
from sim.loading import resolved_yaml
from sim.metric_definitions import METRICS
from sim.texts import one_line
from sim.tree import shown

if TYPE_CHECKING:
    import pandas as pd

FORMAT: Final = "service-hall results"
FORMAT_VERSION: Final = 2
ABOUT: Final = "experiment.json"
SCENARIOS: Final = "scenarios"
FIGURES: Final = "figures"
TABLES: Final = (
    *("metrics", "estimates", "differences", "published"),
    *("lead_times", "half_hours", "visits"),
)
PACKAGES: Final = ("service-hall", "numpy", "scipy", "simpy", "pandas", "matplotlib")
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LEFT_BY_OTHERS: Final = re.compile(r"\..*|~\$.*|Thumbs\.db|desktop\.ini")


# Writing


def check_folder(folder: str | Path) -> Path:
    """The folder's path, if results can be written there; an earlier results folder is replaced.

    Raises ResultsError if something else is there, or nothing can be written. Nothing stays behind.
    """
    path = Path(os.path.abspath(folder))
    try:
        path = path.resolve()
        if path.exists():
            _check_replaceable(path)
        above = next(parent for parent in path.parents if parent.exists())
        if not above.is_dir():
            raise ResultsError(f"{one_line(folder)}: {one_line(above)} is a file, not a folder")
        check_writable(above)
    except (OSError, RuntimeError, ValueError) as error:
        raise _failed(folder, error) from None
    return path


def write_results(experiment: Experiment, folder: str | Path, figures: bool = True) -> Path:
    """Write a results folder, in the place of an earlier one; gives its path.

    Raises ResultsError if it cannot be written; what was there before is then still there.
    """
    path = check_folder(folder)
    try:
        with new_folder(path, _check_replaceable) as new:
            _write(experiment, new, figures)
    except OSError as error:
        raise _failed(folder, error) from None
    return path


def _write(experiment: Experiment, folder: Path, figures: bool) -> None:
    (folder / SCENARIOS).mkdir()
    files = file_names(list(experiment.scenarios))
    for name, loaded in experiment.scenarios.items():
        _write_text(folder / SCENARIOS / f"{files[name]}.yaml", resolved_yaml(loaded))
    contents = {
        "metrics": experiment.metrics,
        "estimates": experiment.estimates,
        "differences": experiment.differences(),
        "published": experiment.published(),
        "lead_times": experiment.lead_times,
        "half_hours": experiment.half_hours,
        "visits": experiment.visits,
    }
    for table in TABLES:
        text = _guarded(contents[table]).to_csv(index=False, lineterminator="\n")
        (folder / f"{table}.csv").write_bytes(text.encode("utf-8-sig"))
    if figures:
        (folder / FIGURES).mkdir()
        draw_figures(experiment, folder / FIGURES)
    about = _about(experiment, files)
    _write_text(folder / ABOUT, json.dumps(about, ensure_ascii=False, indent=2) + "\n")


def _about(experiment: Experiment, files: Mapping[str, str]) -> dict[str, Any]:
    """What the tables do not say."""
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "seed": experiment.seed,
        "replications": experiment.replications,
        "confidence": experiment.confidence,
        "engine": experiment.engine,
        "remark": experiment.remark,
        "reference": next(iter(experiment.scenarios)),
        "scenarios": [
            {
                "name": name,
                "file": f"{SCENARIOS}/{files[name]}.yaml",
                "label": loaded.scenario.label.text() if loaded.scenario.label else None,
            }
            for name, loaded in experiment.scenarios.items()
        ],
        "versions": {"python": platform.python_version()} | {p: _version(p) for p in PACKAGES},
        "metrics": [asdict(metric) for metric in METRICS.values()],
    }


def version() -> str | None:
    """The version of this package; None if it was not installed."""
    return _version(PACKAGES[0])


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _write_text(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def _check_replaceable(path: Path) -> None:
    """Raise ResultsError unless this is a folder that is empty or holds nothing but results."""
    if not path.is_dir():
        raise ResultsError(f"{one_line(path)} is a file, not a folder")
    if path == Path.cwd().resolve():
        raise ResultsError(f"{one_line(path)} is the folder you are in; name a folder below it")
    if not any(path.iterdir()):
        return
    try:
        _about_of(path)
    except ResultsError:
        raise ResultsError(
            f"{one_line(path)} is not empty and holds no results; name another folder"
        ) from None
    parts = _parts(path)
    for file in sorted(path.rglob("*")):
        place = file.relative_to(path)
        if place.as_posix() not in parts and not _LEFT_BY_OTHERS.fullmatch(file.name):
            raise ResultsError(
                f"{one_line(path)} holds results and {one_line(place)}, which is not part of them; "
                "move it away or name another folder"
            )


def _parts(path: Path) -> set[str]:
    """Every file and folder that the results in a folder consist of."""
    figures = {f"{FIGURES}/{name}.png" for name in FIGURE_NAMES}
    parts = {ABOUT, SCENARIOS, FIGURES, *(f"{table}.csv" for table in TABLES)} | figures
    with suppress(LookupError, TypeError):
        parts |= {str(scenario["file"]) for scenario in _about_of(path)["scenarios"]}
    return parts


def _about_of(path: Path) -> Any:
    """What a folder says about itself.

    Raises ResultsError if it holds no results.
    """
    about = path / ABOUT
    try:
        text = about.read_bytes()
    except FileNotFoundError:
        raise ResultsError(f"{one_line(path)}: no results folder (no {ABOUT} in it)") from None
    except OSError as error:
        raise ResultsError(f"{one_line(about)}: cannot be read: {error.strerror}") from None
    if not text.strip():
        raise ResultsError(f"{one_line(about)}: empty")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ResultsError(f"{one_line(about)}: no JSON: {one_line(error)}") from None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ResultsError(f"{one_line(about)}: not written by hall")
    return found


def _failed(folder: str | Path, error: Exception) -> ResultsError:
    reason = getattr(error, "strerror", None) or str(error)
    return ResultsError(f"{one_line(folder)}: cannot write results: {reason}")


def file_names(names: Sequence[str]) -> dict[str, str]:
    """A file name for each scenario that every file system takes, without its ending."""
    chosen: dict[str, str] = {}
    for name in names:
        text = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", name))[:60].strip(".")
        text = text if text and not _RESERVED.fullmatch(text) else f"{text}_"
        taken = {other.casefold() for other in chosen.values()}
        number = 2
        unique = text
        while unique.casefold() in taken:
            unique, number = f"{text}-{number}", number + 1
        chosen[name] = unique
    return chosen


# Cells


def _guarded(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a quote mark before text that a spreadsheet would take for a formula."""
    guarded = table.copy()
    for column in guarded.columns:
        if not _is_number(guarded[column]):
            texts = {text: _guard(str(text)) for text in guarded[column].unique()}
            guarded[column] = guarded[column].astype(object).map(texts)
    return guarded


def _is_number(column: pd.Series[Any]) -> bool:
    return column.dtype.kind in "iufb"


def _guard(text: str) -> str:
    # A quote mark too, so that taking one away gives the text back.
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r", "'") and text else text


def _unguarded(text: str) -> str:
    return text[1:] if text[:1] == "'" else text


# Reading


def read_results(folder: str | Path) -> Experiment:
    """The experiment in a results folder.

    Scenarios are the resolved ones: where their numbers are from stands in the files, as remarks.

    Raises ResultsError if it cannot be read.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ResultsError(f"{one_line(folder)}: there is no such folder")
    about = _about_of(path)
    version = about.get("format_version")
    if version != FORMAT_VERSION:
        raise ResultsError(
            f"{one_line(folder)}: results of format {shown(str(version))}, "
            f"of which this version of hall knows {FORMAT_VERSION} only"
        )
    try:
        files = {str(s["name"]): _file_in(path, str(s["file"])) for s in about["scenarios"]}
        seed, replications = int(about["seed"]), int(about["replications"])
        confidence = float(about["confidence"])
    except (LookupError, TypeError, ValueError) as error:
        reason = one_line(f"{type(error).__name__}: {error}")
        raise ResultsError(f"{one_line(path / ABOUT)}: damaged: {reason}") from None
    try:
        scenarios = load_all(files)
    except ScenarioError as error:
        raise ResultsError(str(error.problems[0])) from None
    read: dict[str, Any] = {n: _read_table(path / f"{n}.csv") for n in _COLUMNS}
    _check_complete(path, read, list(files), replications)
    return Experiment(
        scenarios,
        seed,
        replications,
        confidence=confidence,
        engine=str(about.get("engine", "")),
        remark=str(about.get("remark", "")),
        **read,
    )


def _check_complete(
    path: Path, read: Mapping[str, pd.DataFrame], names: Sequence[str], replications: int
) -> None:
    """Raise ResultsError unless the tables are about these replications, and whole."""
    wanted = {(name, number) for name in names for number in range(replications)}
    for table, frame in read.items():
        file = one_line(path / f"{table}.csv")
        found = set(zip(frame["scenario"], frame["replication"], strict=True))
        for scenario, number in sorted(found - wanted):
            raise ResultsError(f"{file}: no replication {number} of '{one_line(scenario)}' was run")
        # Halls without pools or promises have empty tables; the others are of the first runs.
        missing = wanted - found
        if table != "metrics":
            missing = {(s, n) for s, n in missing if found and n < tables.DETAILED}
        for scenario, number in sorted(missing):
            scenario = one_line(scenario)
            raise ResultsError(f"{file}: replication {number} of '{scenario}' is missing")
        keys = [c for c in frame.columns if c in (*_TEXTS, *_WHOLE_NUMBERS, "lead_time")]
        if frame.duplicated(keys).any():
            line = int(frame.duplicated(keys).to_numpy().argmax()) + 2
            raise ResultsError(f"{file}:{line}: what stands above already")


_COLUMNS: Final = {
    "metrics": tables.METRIC_COLUMNS,
    "lead_times": tables.LEAD_TIME_COLUMNS,
    "half_hours": tables.HALF_HOUR_COLUMNS,
    "visits": tables.VISIT_COLUMNS,
}
_TEXTS: Final = ("scenario", "metric", "subject", "unit", "time", "pool", "case_type", "half_hour")
_WHOLE_NUMBERS: Final = ("replication", "visits")


def _file_in(folder: Path, name: str) -> Path:
    path = folder / name
    if path.resolve().parent != (folder / SCENARIOS).resolve():
        raise ResultsError(f"{one_line(folder)}: {one_line(name)} lies outside the folder")
    return path


def _read_table(path: Path) -> pd.DataFrame:
    import pandas as pd

    columns = _COLUMNS[path.stem]
    place = one_line(path)
    rows = []
    try:
        # Not by pandas, which would take a scenario called `NA` for a missing number.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            head = next(reader, None)
            if head is None:
                raise ResultsError(f"{place}: empty")
            if head != columns:
                raise ResultsError(f"{place}:1: not the columns {', '.join(columns)}")
            for row in reader:
                place = f"{one_line(path)}:{reader.line_num}"
                if len(row) != len(columns):
                    raise ResultsError(f"{place}: {len(row)} values for {len(columns)} columns")
                rows.append([_value(c, text) for c, text in zip(columns, row, strict=True)])
    except OSError as error:
        raise ResultsError(f"{place}: cannot be read: {error.strerror}") from None
    except (ValueError, csv.Error) as error:
        raise ResultsError(f"{place}: {one_line(error)}") from None
    frame = pd.DataFrame(rows, columns=columns)
    return tables.numbered(frame) if path.stem == "metrics" else frame


def _value(column: str, text: str) -> str | int | float:
    """Raises ValueError if it is none that this column has."""
    if column == "metric" and text not in METRICS:
        raise ValueError(f"no metric {shown(text)}")
    if column == "half_hour":
        parse_time_of_day(text)
    if column in _TEXTS:
        return _unguarded(text)
    try:
        return int(text) if column in _WHOLE_NUMBERS else float(text or "nan")
    except ValueError:
        raise ValueError(f"{column}: {shown(text)} is no number") from None


def redraw(folder: str | Path) -> list[Path]:
    """Draw the figures of a results folder once more, from its tables."""
    experiment = read_results(folder)
    try:
        figures = Path(folder) / FIGURES
        figures.mkdir(exist_ok=True)
        return draw_figures(experiment, figures)
    except OSError as error:
        raise _failed(folder, error) from None
