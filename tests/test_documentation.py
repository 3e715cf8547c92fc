"""Examples in the README and in docstrings run as they stand."""

import doctest
import re
from pathlib import Path

import pytest

import sim

ROOT = Path(__file__).parents[1]


def blocks() -> list[str]:
    """The Python examples of the README."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the scenarios, in which nothing of ours is written."""
    (tmp_path / "scenarios").symlink_to(ROOT / "scenarios")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_examples_of_the_readme_run(place: Path) -> None:
    names: dict[str, object] = {}
    found = blocks()
    assert len(found) >= 2
    for block in found:
        exec(block, names)
    assert (place / "results/years/metrics.parquet").exists()


def test_the_examples_of_the_package_run(place: Path) -> None:
    found = doctest.testmod(sim)
    assert found.attempted > 10
    assert found.failed == 0


def test_every_command_stands_in_the_readme() -> None:
    from sim.cli import app, experiments

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = [*app.registered_commands, *experiments.registered_commands]
    names = [(c.name or c.callback.__name__).replace("_", "-") for c in commands if c.callback]  # type: ignore[attr-defined]
    assert len(names) > 8
    assert not [name for name in names if f"hall {name}" not in text]
