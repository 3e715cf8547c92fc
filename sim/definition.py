"""What defines an experiment: its scenarios, its seed, and what can change a number.

How many replications there are, which engine does them and on how many cores is no part of it:
replication n comes out the same.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sim.loading import Loaded
from sim.sources import as_data

PACKAGE: Final = "service-hall"
DECIDING: Final = ("numpy", "scipy", "simpy", "chinesecalendar")
"""Libraries on which numbers depend."""
SHOWS_ONLY: Final = re.compile(
    r"(__init__|__main__|check_report|chosen_metrics|cli\w*|clusters|comparison\w*|definition"
    r"|engines/parity|event_logs|exit_codes|experiment|figures|files|forecast|frames"
    r"|known_answers\w*|labels|month_plot|numbers|output_analysis|plot\w*|precision|queueing|report\w*"
    r"|results|running|schema|signals|store|studies/\w+|table_files|tables|tasks|terminal|texts"
    r"|verifying|warm_up\w*|workers"
    r")\.py"
)
"""Modules of which no replication's record depends: they run, compare and show."""


@dataclass(frozen=True)
class Definition:
    """Two experiments of the same definition have the same replications, to the last bit."""

    scenarios: Mapping[str, Any]
    """Each by name as plain data, in the order of the experiment."""
    seed: int
    versions: Mapping[str, str | None]

    @classmethod
    def of(cls, scenarios: Mapping[str, Loaded], seed: int) -> Definition:
        """The definition of an experiment that is run here."""
        data = {name: as_data(loaded.scenario) for name, loaded in scenarios.items()}
        return cls(data, seed, versions())

    @classmethod
    def from_text(cls, text: str) -> Definition:
        """A definition from its text; raises ValueError or TypeError for another text."""
        data = json.loads(text)
        return cls(dict(data["scenarios"]), int(data["seed"]), dict(data["versions"]))

    @functools.cached_property
    def text(self) -> str:
        """All of it as JSON."""
        # Scenarios in a list, since their order counts.
        data = {
            "seed": self.seed,
            "versions": dict(self.versions),
            "scenarios": list(self.scenarios.items()),
        }
        return json.dumps(data, ensure_ascii=False, allow_nan=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    def differences(self, other: Definition) -> list[str]:
        """In what another one differs, a phrase each; none if it is the same."""
        found = []
        if self.seed != other.seed:
            found.append(f"seed {other.seed} instead of {self.seed}")
        found += version_differences(self.versions, other.versions)
        if list(self.scenarios) != list(other.scenarios):
            names = ", ".join(other.scenarios), ", ".join(self.scenarios)
            found.append(f"scenarios {names[0]} instead of {names[1]}")
        elif self.scenarios != other.scenarios:
            edited = [n for n, data in self.scenarios.items() if data != other.scenarios[n]]
            found.append(f"another content of {', '.join(edited)}")
        return found


@functools.cache
def versions() -> Mapping[str, str | None]:
    """What numbers depend on besides scenario and seed: libraries, our own source, the machine."""
    major_minor = ".".join(platform.python_version_tuple()[:2])
    return {
        "python": major_minor,
        "machine": f"{platform.system()} {platform.machine()}",
        **{name: version_of(name) for name in (PACKAGE, *DECIDING)},
        "source": _digest_of_source(),
    }


def version_differences(
    ours: Mapping[str, str | None], theirs: Mapping[str, str | None]
) -> list[str]:
    """In which versions others differ from ours, a phrase each."""
    return [
        f"{name} {theirs.get(name) or 'missing'} instead of {ours.get(name) or 'none'}"
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name) != theirs.get(name)
    ]


def version_of(package: str) -> str | None:
    """The version of a package that is installed; None if there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _digest_of_source() -> str:
    """Of the modules that decide numbers, which can change without their version: 12 digits."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))
    for name in sorted(name for name in names if not SHOWS_ONLY.fullmatch(name)):
        digest.update(name.encode())
        # Line ends depend on how it was checked out.
        digest.update((folder / name).read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:12]
