"""The architecture: every module imports only from modules above it in the README's table."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from sim.definition import SHOWS_ONLY

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sim"


def layers() -> list[str]:
    """The modules in the order of the README's architecture table."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("## Architecture")[1]
    rows = re.findall(r"^\| (`.+?) \|", section, flags=re.MULTILINE)
    return [name for row in rows for name in re.findall(r"`([\w/]+)`", row)]


def modules() -> dict[str, Path]:
    """Every module of the package by its name in the table (`engines/simpy_engine`)."""
    paths = {
        path.relative_to(PACKAGE).with_suffix("").as_posix(): path for path in PACKAGE.rglob("*.py")
    }
    return {name: path for name, path in paths.items() if not name.endswith("__")}


def imported(path: Path) -> set[str]:
    """The modules of this package that a module imports, at its top or inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    known = modules()
    names = {
        name.removeprefix("sim.").replace(".", "/") for name in found if name.startswith("sim.")
    }
    return names & set(known)


def test_the_table_names_every_module_once() -> None:
    assert sorted(layers()) == sorted(modules())


@pytest.mark.parametrize("name", sorted(modules()))
def test_a_module_imports_only_from_modules_above_it(name: str) -> None:
    order = layers()
    below = {
        other for other in imported(modules()[name]) if order.index(other) >= order.index(name)
    }
    assert not below, f"{name} imports {sorted(below)}, which stand below it"


def test_engines_do_not_import_each_other() -> None:
    """So that they are two programs: what they agree on, neither has from the other."""
    compiled = {name for name in modules() if name.startswith("engines/compiled_")}
    in_simpy = {name for name in modules() if name.startswith("engines/simpy_")}
    assert compiled
    assert in_simpy
    for name in (*in_simpy, *compiled):
        others = compiled if name in in_simpy else in_simpy
        assert not imported(modules()[name]) & others


def test_the_check_notices_an_upward_import(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("def f():\n    from sim.cli import main\n    import sim.plan\n")
    assert imported(path) == {"cli", "plan"} & set(modules())


def test_modules_that_decide_numbers_are_those_that_a_record_needs() -> None:
    """Their source is part of what defines an experiment; that of the others is not."""
    needed: set[str] = set()
    # From files and their plans to records; `traces` and what uses it are laws, which only assert.
    todo = ["sources", "planning", "replication", "records"]
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            path = modules()[name]
            # Machine code is made of modules that are named in texts.
            named = re.findall(r'"sim\.([\w.]+)"', path.read_text(encoding="utf-8"))
            todo += [*imported(path), *(name.replace(".", "/") for name in named)]
    deciding = {name for name in modules() if not SHOWS_ONLY.fullmatch(f"{name}.py")}
    shown = {"engines/parity", "schema"}
    assert needed - shown == deciding
