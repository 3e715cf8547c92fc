"""What a study leaves in its folder: tidy tables as CSV and Parquet, figures, and SHA256SUMS."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sim import table_files
from sim.definition import Definition
from sim.errors import ResultsError
from sim.loading import Loaded
from sim.results import add_files, file_names
from sim.store import locked
from sim.texts import one_line

if TYPE_CHECKING:
    import pandas as pd

FIGURES: Final = "figures"
RESULTS: Final = Path("results")
RUNS: Final = "runs"
"""The folder of a study's experiments, in its own."""
ANSWERS: Final = "answers"
"""And of what was read of them, see `answers`."""


def study_folder(study: str, loaded: Loaded, seed: int, *about: object) -> Path:
    """Where a study of a scenario is kept unless told: named after it and all that defines it.

    about  what else defines it, such as the options of the study.
    """
    digest = Definition.of({loaded.name: loaded}, seed).digest
    whole = hashlib.sha256(json.dumps([study, digest, *map(str, about)]).encode()).hexdigest()
    return RESULTS / f"{study}-{file_names([loaded.name])[loaded.name]}-{whole[:8]}"


@contextmanager
def open_study(folder: Path) -> Iterator[None]:
    """Work alone in the folder of a study, which is made if there is none.

    Raises ResultsError if another command is at work there, or if the folder holds something else.
    """
    try:
        is_study = (folder / ANSWERS).is_dir() or not folder.exists()
        if not is_study and any(not path.name.startswith(".") for path in folder.iterdir()):
            what = "is not empty and holds no study; name another folder"
            raise ResultsError(f"{one_line(folder)} {what}")
        (folder / ANSWERS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise ResultsError(f"{one_line(folder)}: cannot be used: {reason}") from None
    with locked(folder):
        yield


def write_study(
    folder: Path, tables: Mapping[str, pd.DataFrame], figures: Iterable[tuple[str, bytes]]
) -> None:
    """Write the tables and figures of a study, with their checksums.

    Raises ResultsError.
    """
    add_files(folder, table_files.files_of(tables))
    add_files(folder, ((f"{FIGURES}/{name}.png", content) for name, content in figures))
