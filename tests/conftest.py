"""What tests of faults share: a place with scenarios, and commands that are run there."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from faults import Contents, Hall, Progress, contents, write_scenarios

from sim import terminal
from sim.cli import main


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder one is in, with two scenarios."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HALL_DEBUG", raising=False)
    write_scenarios(tmp_path)
    return tmp_path


@pytest.fixture
def hall(place: Path, capsys: pytest.CaptureFixture[str]) -> Hall:
    """Runs one command: exit code, standard output, standard error."""

    def command(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return command


@pytest.fixture
def on_progress(monkeypatch: pytest.MonkeyPatch) -> Progress:
    """Has something done whenever a replication is finished."""

    def hook(happens: Callable[[int, int], None]) -> None:
        call: Any = lambda self, done, total: happens(done, total)  # noqa: E731
        monkeypatch.setattr(terminal.ProgressLine, "__call__", call)

    return hook


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Contents]:
    """The files that a command writes to which nothing happens."""
    known: dict[tuple[str, ...], Contents] = {}

    def files(*arguments: str) -> Contents:
        if arguments not in known:
            with contextlib.chdir(tmp_path_factory.mktemp("whole")):
                write_scenarios(Path())
                assert main(arguments) == 0
                known[arguments] = contents(Path("r"))
        return known[arguments]

    return files
