"""Results folders: the replications that are kept, and what people read of them.

    replications.sqlite      what was run, see `store`
    experiment.json          seed, replications, versions, what each metric is
    scenarios/NAME.yaml      each scenario, every value explicit: runs again as it is
    metrics, estimates, differences, published, lead_times, half_hours, visits, months
                             tables, see `Experiment`; each as .csv and .parquet
    figures/*.png            where they were asked for
    logs/NAME-3.parquet      the event log of replication 3, where it was asked for
    studies/                 tables and figures of studies, where they were asked for
    attribution.*            what a study makes of them
    SHA256SUMS               of all these but the first: `sha256sum -c SHA256SUMS`

Tables and figures follow from the replications, and are made anew when there are more of them. The
same experiment gives the same bytes. Files of others in the folder are left alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shlex
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sim import store as stores
from sim import table_files
from sim.chosen_metrics import Choice
from sim.definition import Definition, version_of
from sim.errors import ResultsError, ScenarioError
from sim.experiment import Experiment, Missing, tables_of
from sim.figures import draw_figures
from sim.files import write_whole
from sim.loading import Loaded, resolved_yaml
from sim.metric_definitions import METRICS
from sim.sources import as_data, load_all
from sim.store import Store
from sim.texts import one_line

if TYPE_CHECKING:
    import pandas as pd

ABOUT: Final = "experiment.json"
SCENARIOS, FIGURES, LOGS, STUDIES = "scenarios", "figures", "logs", "studies"
SUMS: Final = "SHA256SUMS"
SHOWN: Final = "shown"
"""Under which the store notes what the tables show."""
DRAWING: Final = ("pandas", "pyarrow", "matplotlib")
"""Libraries on which files depend, but no number."""
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def default_folder(definition: Definition) -> Path:
    """Where an experiment is kept unless told: named after its scenarios and what defines it."""
    names = "-vs-".join(file_names(list(definition.scenarios)).values()).encode()[:100]
    return Path("results", f"{names.decode(errors='ignore')}-{definition.digest[:8]}")


@contextlib.contextmanager
def open_folder(
    folder: Path, definition: Definition, scenarios: Mapping[str, Loaded]
) -> Iterator[Store]:
    """The store of an experiment in its folder, which is made if there is none.

    Raises ResultsError if it cannot be used, see `store.open_to_write`; what is there stays.
    """
    with contextlib.ExitStack() as stack:
        try:
            _check_usable(folder)
            folder.mkdir(parents=True, exist_ok=True)
            store = stack.enter_context(stores.open_to_write(folder, definition))
            # At once: whatever happens, there is something to go on from.
            (folder / SCENARIOS).mkdir(exist_ok=True)
            for name, path in _scenario_paths(folder, scenarios).items():
                text = resolved_yaml(scenarios[name]).encode()
                if not _is_content(path, text):
                    write_whole(path, text)
        except (OSError, ValueError) as error:
            raise cannot_write(folder, error) from None
        yield store


def _check_usable(folder: Path) -> None:
    """Raise ResultsError if something else is there."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise ResultsError(f"{one_line(folder)}: {one_line(there)} is a file, not a folder")
    if not folder.exists() or (folder / stores.STORE).exists():
        return
    if any(not path.name.startswith(".") for path in folder.iterdir()):
        what = "an earlier version's results" if (folder / ABOUT).exists() else "no results"
        raise ResultsError(f"{one_line(folder)} is not empty and holds {what}; name another folder")


# Writing


def write_results(experiment: Experiment, store: Store, figures: bool = False) -> None:
    """Write what people read into the experiment's folder, unless it is there already.

    Raises ResultsError; what was there is then still there, or is written by the next run.
    """
    folder = experiment.folder
    assert folder is not None
    try:
        shown = {
            "replications": experiment.replications,
            "reference": experiment.reference,
            "leading": experiment.leading.named,
            "engine": experiment.engine,
            "remarks": experiment.remarks,
            "missing": [asdict(missing) for missing in experiment.missing],
        }
        about = _json(_about(experiment, store.definition))
        sums = read_sums(folder)
        has_figures = any(name.startswith(f"{FIGURES}/") for name in sums)
        is_there = sums.get(ABOUT) == _sum(about) and store.noted(SHOWN) == json.loads(_json(shown))
        if is_there and (has_figures or not figures) and not damaged_files(folder):
            return
        figures = figures or has_figures  # which would be those of other tables
        store.note(SHOWN, shown)
        store.commit()
        _publish(folder, _files(experiment, about, figures))
    except OSError as error:
        raise cannot_write(folder, error) from None


def _scenario_paths(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Where each scenario stands, every value explicit."""
    files = file_names(list(names))
    return {name: folder / SCENARIOS / f"{file}.yaml" for name, file in files.items()}


def _files(experiment: Experiment, about: bytes, figures: bool) -> Iterator[tuple[str, bytes]]:
    """Name and content of what people read, one at a time: tables of many replications are long."""
    assert experiment.folder is not None
    # Scenarios are there since the folder was opened.
    for path in _scenario_paths(experiment.folder, experiment.scenarios).values():
        yield f"{SCENARIOS}/{path.name}", path.read_bytes()
    tables = {
        "metrics": experiment.metrics,
        "estimates": experiment.estimates,
        "differences": experiment.differences(),
        "published": experiment.published(),
        "lead_times": experiment.lead_times,
        "half_hours": experiment.half_hours,
        "visits": experiment.visits,
        **({"months": experiment.months} if len(experiment.months) else {}),
    }
    yield from table_files.files_of(tables)
    yield ABOUT, about
    if figures:
        for name, content in draw_figures(experiment):
            yield f"{FIGURES}/{name}.png", content


def _about(experiment: Experiment, definition: Definition) -> dict[str, Any]:
    """What the tables do not say."""
    files = file_names(list(experiment.scenarios))
    return {
        "seed": experiment.seed,
        "replications": experiment.replications,
        "missing": [asdict(missing) for missing in experiment.missing],
        "confidence": experiment.confidence,
        "reference": experiment.reference,
        "leading": list(experiment.leading.named),
        "scenarios": [
            {
                "name": name,
                "file": f"{SCENARIOS}/{files[name]}.yaml",
                "label": loaded.scenario.label.text() if loaded.scenario.label else None,
            }
            for name, loaded in experiment.scenarios.items()
        ],
        "definition": definition.digest,
        "versions": {**definition.versions, **{name: version_of(name) for name in DRAWING}},
        "metrics": [asdict(metric) for metric in METRICS.values()],
    }


def command_to_repeat(experiment: Experiment, missing: Missing) -> str:
    """What runs a replication alone that failed, from the scenario as it was run."""
    name = missing.scenario
    path = experiment.scenarios[name].path
    if experiment.folder is not None:
        path = _scenario_paths(experiment.folder, experiment.scenarios)[name]
    return shlex.join(
        ["hall", "run", str(path), "--seed", str(experiment.seed), "--only", str(missing.number)]
    )


def log_name(scenarios: Iterable[str], scenario: str, number: int) -> str:
    """The file of a replication's event log, where these scenarios are run."""
    return f"{LOGS}/{file_names(list(scenarios))[scenario]}-{number}.parquet"


def add_files(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write more files, each by its path in the folder: event logs, or what a study makes.

    Event logs stay; others follow from the tables, and are gone when these are made anew. Raises
    ResultsError.
    """
    try:
        for name, content in files:
            (folder / name).parent.mkdir(exist_ok=True)
            write_whole(folder / name, content)
            _write_sums(folder, {**read_sums(folder), name: _sum(content)})
    except OSError as error:
        raise cannot_write(folder, error) from None


def add_study(
    folder: Path, tables: Mapping[str, pd.DataFrame], figures: Mapping[str, Callable[[], bytes]]
) -> None:
    """Add tables (as .csv and .parquet) and figures (PNG) of a study to a results folder.

    figures  how each is drawn; they are those of the tables, and stay if these are there already.

    Raises ResultsError.
    """
    files = {f"{STUDIES}/{name}": content for name, content in table_files.files_of(tables)}
    drawings = {f"{STUDIES}/{name}.png": draw for name, draw in figures.items()}
    sums = {name: _sum(content) for name, content in files.items()}
    try:
        with stores.locked(folder):
            there = read_sums(folder)
            is_there = sums.items() <= there.items() and drawings.keys() <= there.keys()
            if is_there and not {*files, *drawings}.intersection(damaged_files(folder)):
                return
            files |= {name: draw() for name, draw in drawings.items()}
            (folder / STUDIES).mkdir(exist_ok=True)
            for name, content in files.items():
                write_whole(folder / name, content)
            sums = {name: _sum(content) for name, content in files.items()}
            _write_sums(folder, there | sums)
    except OSError as error:
        raise cannot_write(folder, error) from None


def _publish(folder: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Put files in the place of the earlier ones, the sums last."""
    before = read_sums(folder)
    others = {n: found for n, found in before.items() if n.startswith((f"{LOGS}/", f"{STUDIES}/"))}
    # Without the tables' sums nothing counts as complete.
    _write_sums(folder, others)
    sums = {}
    for name, content in files:
        (folder / name).parent.mkdir(exist_ok=True)
        write_whole(folder / name, content)
        sums[name] = _sum(content)
    for name in before.keys() - sums.keys() - others.keys():
        (folder / name).unlink(missing_ok=True)
    _write_sums(folder, others | sums)


def _is_content(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _json(data: object) -> bytes:
    return (json.dumps(data, ensure_ascii=False, indent=2) + "\n").encode()


def cannot_write(folder: Path, error: Exception) -> ResultsError:
    """The error of a folder into which nothing can be written."""
    reason = getattr(error, "strerror", None) or str(error)
    return ResultsError(f"{one_line(folder)}: cannot write results: {one_line(reason)}")


def file_names(names: Sequence[str]) -> dict[str, str]:
    """A file name for each scenario that every file system takes, without its ending."""
    chosen: dict[str, str] = {}
    for name in names:
        text = re.sub(r"[^\w.@+-]+", "_", unicodedata.normalize("NFC", name))[:60].strip(".")
        text = text if text and not _RESERVED.fullmatch(text) else f"{text}_"
        taken = {other.casefold() for other in chosen.values()}
        number = 2
        unique = text
        while unique.casefold() in taken:
            unique, number = f"{text}-{number}", number + 1
        chosen[name] = unique
    return chosen


# Sums


def read_sums(folder: Path) -> dict[str, str]:
    """SHA-256 of each file by its path in the folder; none if nothing is complete."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = [line.split("  ", 1) for line in lines]
    # A path that leads out of the folder was not written here.
    return {
        name: found
        for found, name in (pair for pair in pairs if len(pair) == 2)
        if ".." not in Path(name).parts and not Path(name).is_absolute()
    }


def damaged_files(folder: Path) -> dict[str, str]:
    """What is wrong with each file that is not as it was written."""
    found = {}
    for name, expected in read_sums(folder).items():
        try:
            if _sum((folder / name).read_bytes()) != expected:
                found[name] = "not as it was written"
        except FileNotFoundError:
            found[name] = "missing"
        except OSError as error:
            found[name] = error.strerror or "cannot be read"
    return found


def _write_sums(folder: Path, sums: Mapping[str, str]) -> None:
    lines = (f"{found}  {name}\n" for name, found in sorted(sums.items()))
    write_whole(folder / SUMS, "".join(lines).encode())


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# Reading


def read_results(folder: str | Path) -> Experiment:
    """The experiment in a results folder, from its replications.

    Scenarios are the resolved ones: where their numbers are from stands in the files, as remarks.

    Raises ResultsError if it cannot be read, or is damaged.
    """
    path = Path(folder)
    check_is_there(path)
    with stores.open_to_read(path) as store:
        definition = store.definition
        shown = store.noted(SHOWN)
        if shown is None:
            raise ResultsError(f"{one_line(folder)}: not complete: run the same command again")
        scenarios = scenarios_in(path, definition)
        numbers = range(shown["replications"])
        missing = tuple(Missing(**one) for one in shown["missing"])
        for name in scenarios:
            failed = {one.number for one in missing if one.scenario == name}
            if gone := sorted(set(numbers) - store.done(name) - failed):
                raise ResultsError(
                    f"{one_line(folder)}: replication {gone[0]} of {one_line(name)} is gone: run "
                    "the same command again"
                )
        return Experiment(
            scenarios,
            definition.seed,
            len(numbers),
            **tables_of(store, scenarios, numbers).frames(),
            engine=shown["engine"],
            remarks=tuple(shown["remarks"]),
            reference=shown["reference"],
            leading=Choice(tuple(shown["leading"])),
            missing=missing,
            folder=path,
        )


def check_is_there(folder: Path) -> None:
    """Raise ResultsError unless there is such a folder."""
    if not folder.is_dir():
        raise ResultsError(f"{one_line(folder)}: there is no such folder")


def scenarios_in(
    folder: Path, definition: Definition, names: Collection[str] = ()
) -> dict[str, Loaded]:
    """The scenarios of an experiment from its folder, all unless some are named.

    Raises ResultsError for files that are not what was run.
    """
    files = _scenario_paths(folder, definition.scenarios)
    files = {name: path for name, path in files.items() if not names or name in names}
    try:
        scenarios = load_all(files)
    except ScenarioError as error:
        raise ResultsError(str(error.problems[0])) from None
    for name, loaded in scenarios.items():
        if as_data(loaded.scenario) != definition.scenarios[name]:
            raise ResultsError(f"{one_line(files[name])}: not the scenario that was run")
    return scenarios


def redraw(folder: str | Path) -> list[Path]:
    """Draw the figures of a results folder once more; gives their paths."""
    experiment = read_results(folder)
    path = Path(folder)
    try:
        drawn = {f"{FIGURES}/{name}.png": content for name, content in draw_figures(experiment)}
        with stores.locked(path):
            (path / FIGURES).mkdir(exist_ok=True)
            for name, content in drawn.items():
                write_whole(path / name, content)
            sums = {name: _sum(content) for name, content in drawn.items()}
            _write_sums(path, read_sums(path) | sums)
        return [path / name for name in drawn]
    except OSError as error:
        raise cannot_write(path, error) from None
