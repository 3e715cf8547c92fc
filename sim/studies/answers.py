"""What a study has read from its experiments, kept beside them, so that it is not read again.

An experiment that is kept need not be simulated again, but loading a hundred scenarios and their
replications takes a while. Answers are kept under all that defines them, each with a checksum; one
that is damaged counts as none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sim.definition import Definition
from sim.files import write_whole
from sim.loading import Loaded
from sim.results import cannot_write

FORMAT_VERSION: Final = 2
"""Of answers; those of another are made anew."""


def key_of(loaded: Loaded, seed: int, *about: object) -> str:
    """A key of a scenario, a seed and whatever else decides an answer, as text."""
    digest = Definition.of({loaded.name: loaded}, seed).digest
    whole = [FORMAT_VERSION, digest, *map(str, about)]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()[:32]


def answer(folder: Path | None, key: str, compute: Callable[[], Any]) -> Any:
    """What `compute` gives, as JSON has it: numbers and texts in lists and maps; NaN is a number.

    folder  where it is kept; without one, it is not.

    Raises ResultsError if it cannot be kept.
    """
    if folder is None:
        return compute()
    path = folder / f"{key}.json"
    try:
        checksum, text = path.read_text(encoding="utf-8").split("\n", 1)
        if checksum == _checksum(text):
            return json.loads(text)
    except (OSError, ValueError):
        pass  # none, or none that can be read: it is made anew
    text = json.dumps(compute(), ensure_ascii=False)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, f"{_checksum(text)}\n{text}".encode())
    except OSError as error:
        raise cannot_write(folder, error) from None
    return json.loads(text)


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
