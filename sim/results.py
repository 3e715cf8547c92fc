"""Results folders: what was run, the tables that came out, and the figures.

    experiment.json          seed, replications, versions, what each metric is; marks the folder
    scenarios/NAME.yaml      each scenario, every value explicit: runs again as it is
    metrics.csv              one row a value: scenario, replication, metric, subject, unit, value
    estimates.csv            mean and interval over replications
    differences.csv          paired differences from the first scenario
    published.csv            published beside simulated figures
    lead_times.csv, half_hours.csv, visits.csv    distributions, see `metrics.Measures`
    figures/*.png

A folder is written beside its place and moved there when it is complete. The same experiment gives
the same bytes. Tables are CSV in UTF-8 with a byte order mark, so that spreadsheets show Chinese;
text that a spreadsheet would take for a formula gets a quote mark in front. Shares are 0 to 1.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import secrets
import shutil
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sim import experiment as tables
from sim.errors import ResultsError
from sim.experiment import Experiment, load_all
from sim.figures import draw_figures
from sim.labels import one_line
from sim.loading import resolved_yaml
from sim.metric_definitions import METRICS
from sim.tree import shown

if TYPE_CHECKING:
    import pandas as pd

FORMAT: Final = "service-hall results"
FORMAT_VERSION: Final = 1
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
        with _beside(above / "x", make_parents=False):
            pass
    except (OSError, RuntimeError, ValueError) as error:
        raise _failed(folder, error) from None
    return path


def write_results(experiment: Experiment, folder: str | Path, figures: bool = True) -> Path:
    """Write a results folder, in the place of an earlier one; gives its path.

    Raises ResultsError if it cannot be written; what was there before is then still there.
    """
    path = check_folder(folder)
    try:
        with _beside(path) as new:
            _write(experiment, new, figures)
            _put(new, path)
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


@contextmanager
def _beside(path: Path, make_parents: bool = True) -> Iterator[Path]:
    """A new folder in the same place, gone in the end unless it was moved."""
    if make_parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    new = path.parent / f".hall-{secrets.token_hex(6)}.tmp"
    new.mkdir()
    try:
        yield new
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _put(new: Path, path: Path) -> None:
    """Move a complete folder to its place; what was there goes when the new one is there."""
    if not path.exists():
        new.rename(path)
        return
    _check_replaceable(path)
    old = new.with_suffix(".old")
    path.rename(old)
    try:
        new.rename(path)
    except OSError:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _check_replaceable(path: Path) -> None:
    """Raise ResultsError unless this is a folder that is empty or holds nothing but results."""
    if not path.is_dir():
        raise ResultsError(f"{one_line(path)} is a file, not a folder")
    if path == Path.cwd().resolve():
        raise ResultsError(f"{one_line(path)} is the folder you are in; name a folder below it")
    if not any(path.iterdir()):
        return
    if not _is_ours(path):
        raise ResultsError(
            f"{one_line(path)} is not empty and holds no results; name another folder"
        )
    for file in sorted(path.rglob("*")):
        place = file.relative_to(path)
        if not _is_part(place) and not _LEFT_BY_OTHERS.fullmatch(file.name):
            raise ResultsError(
                f"{one_line(path)} holds results and {one_line(place)}, which is not part of them; "
                "move it away or name another folder"
            )


def _is_part(place: Path) -> bool:
    """Whether results have a file or folder of this name, relative to their folder."""
    match place.parts:
        case (name,):
            return name in (ABOUT, SCENARIOS, FIGURES, *(f"{table}.csv" for table in TABLES))
        case (folder, _):
            return (folder, place.suffix) in ((SCENARIOS, ".yaml"), (FIGURES, ".png"))
        case _:
            return False


def _is_ours(path: Path) -> bool:
    try:
        return bool(json.loads((path / ABOUT).read_bytes()).get("format") == FORMAT)
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


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
            guarded[column] = [_guard(str(value)) for value in guarded[column]]
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
    if not _is_ours(path):
        raise ResultsError(f"{one_line(folder)}: no results folder (no {ABOUT} of ours in it)")
    try:
        about = json.loads((path / ABOUT).read_bytes())
        version = about["format_version"]
        if version != FORMAT_VERSION:
            raise ResultsError(
                f"{one_line(folder)}: results of format {shown(str(version))}, "
                f"of which this version of hall knows {FORMAT_VERSION} only"
            )
        files = {str(s["name"]): _file_in(path, str(s["file"])) for s in about["scenarios"]}
        read: dict[str, Any] = {n: _read_table(path / f"{n}.csv") for n in _COLUMNS}
        return Experiment(
            scenarios=load_all(files),
            seed=int(about["seed"]),
            replications=int(about["replications"]),
            confidence=float(about["confidence"]),
            **read,
        )
    except ResultsError:
        raise
    except Exception as error:  # whatever somebody has done to the files
        reason = one_line(f"{type(error).__name__}: {error}".splitlines()[0])
        raise ResultsError(f"{one_line(folder)}: cannot read the results: {reason}") from None


_COLUMNS: Final = {
    "metrics": tables.METRIC_COLUMNS,
    "lead_times": tables.LEAD_TIME_COLUMNS,
    "half_hours": tables.HALF_HOUR_COLUMNS,
    "visits": tables.VISIT_COLUMNS,
}
_TEXTS: Final = ("scenario", "metric", "subject", "unit", "time", "pool", "case_type")
_WHOLE_NUMBERS: Final = ("replication", "half_hour", "visits")


def _file_in(folder: Path, name: str) -> Path:
    path = folder / name
    if path.resolve().parent != (folder / SCENARIOS).resolve():
        raise ResultsError(f"{one_line(folder)}: {one_line(name)} lies outside the folder")
    return path


def _read_table(path: Path) -> pd.DataFrame:
    import pandas as pd

    columns = _COLUMNS[path.stem]
    # As text first: pandas would take a scenario called `NA` for a missing number.
    table = pd.read_csv(path, encoding="utf-8-sig", dtype=str, keep_default_na=False)
    if list(table.columns) != columns:
        raise ResultsError(f"{one_line(path)}: not the columns {', '.join(columns)}")
    return pd.DataFrame({c: [_value(c, text) for text in table[c]] for c in columns})


def _value(column: str, text: str) -> str | int | float:
    if column in _TEXTS:
        return _unguarded(text)
    if column in _WHOLE_NUMBERS:
        return int(text)
    return float(text or "nan")


def redraw(folder: str | Path) -> list[Path]:
    """Draw the figures of a results folder once more, from its tables."""
    experiment = read_results(folder)
    try:
        figures = Path(folder) / FIGURES
        figures.mkdir(exist_ok=True)
        return draw_figures(experiment, figures)
    except OSError as error:
        raise _failed(folder, error) from None
