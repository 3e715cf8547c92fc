"""Scenario files to and from `Scenario`: what a file builds on, reforms, settings, all problems.

A file may name another that it `extends` and a list of `reforms`; neither is part of the scenario.
The order in which they count, later ones over earlier ones:

    extends · its own reforms · the file itself · reforms given beside it · settings (`--set`)

and then, on their dates, its `dated_reforms`;

each a patch over what came before (see `overlays`). Reforms that are named in one place are one
patch, in whatever order they are named (see `reforms`).

Reading YAML belongs to `documents`, CSV files to `recordings`, and what is wrong with the values to
`from_tree`.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from sim import schema
from sim.documents import SETTING, from_plain, parse_setting, read_document
from sim.errors import Mark, Problem, ScenarioError
from sim.from_tree import problems_of, scenario_of
from sim.overlays import new_names, overlaid, unfinished, with_likes
from sim.phases import DATED, dated_reforms, without_dates, without_names
from sim.recordings import inline_recordings
from sim.reforms import (
    FOLDER,
    Reform,
    ReformFile,
    contradictions,
    date_from,
    files_in,
    in_order,
    name_with,
    path_of,
    united,
)
from sim.resolved import Provenance, provenance_of, resolved_text
from sim.scenario import Scenario
from sim.tree import (
    ListNode,
    MapNode,
    Node,
    Scalar,
    dotted,
    is_null,
    merge,
    shown,
    suggest,
    without,
)

EXTENDS: Final = "extends"
REFORMS: Final = "reforms"
REFORM: Final = "reform"
ROOT_NAME: Final = "scenarios"
"""A folder of this name is the root of every scenario below it."""


@dataclass(frozen=True)
class Loaded:
    """A scenario, and the tree that it was made from: where each value stands and is from."""

    name: str
    """Name of the file, without its ending, and of the reforms given beside it."""
    path: Path
    scenario: Scenario
    tree: MapNode
    """Everything merged, CSV files in the place of their names."""
    reforms: tuple[ReformFile, ...] = ()
    """What changed it, in the order in which that counts."""


def load(
    path: str | Path,
    settings: Sequence[str] = (),
    reforms: Sequence[str | Path] = (),
    until: str | dt.date | None = None,
) -> Scenario:
    """The scenario in a file; see `load_document`."""
    return load_document(path, settings, reforms, until).scenario


def load_document(
    path: str | Path,
    settings: Sequence[str] = (),
    reforms: Sequence[str | Path] = (),
    until: str | dt.date | None = None,
) -> Loaded:
    """The scenario in a file, and where each of its values is from.

    settings  such as `pools.windows.shifts.day.servers=4`.
    reforms   change the scenario after its own: names of files in the folder `reforms` at its root
              (see `root_of`), or paths of files.
    until     a date; with all reforms of that folder that are in force then.

    Raises ScenarioError with every problem that was found.
    """
    try:
        return _load(Path(path), settings, reforms, until)
    except ScenarioError as error:
        raise ScenarioError([_named_once(problem) for problem in error.problems]) from None


def _load(
    path: Path,
    settings: Sequence[str],
    reforms: Sequence[str | Path],
    until: str | dt.date | None,
) -> Loaded:
    date = None if until is None else date_from(until)
    files = _Files(path)
    patches = files.patches(path)
    given = files.given(reforms, date)
    patches += files.composed(given)
    patches += [_Patch(files.setting(text), "setting") for text in settings]
    files.raise_problems()
    tree = replace(patches[0].node, entries={}, key_marks={}, mark=Mark(str(path), 1, 1))
    for patch in patches:
        tree = files.merged(tree, patch)
    if date is not None and files.dated:
        message = "its reforms have dates of their own; horizon.to says how far it goes"
        files.problems.append(Problem(Mark("--until"), "", message))
    files.raise_problems()
    tree = files.with_dated(inline_recordings(tree, files.beside))
    files.raise_problems()
    scenario = scenario_of(tree, on_top=True)
    files.check_later_reforms()
    files.raise_problems()
    named = [r.name for r in files.reforms if r in given and not _in_force(r, date)]
    name = name_with(path.stem, date, named)
    return Loaded(name, path, scenario, tree, tuple(files.reforms))


def _in_force(reform: ReformFile, date: dt.date | None) -> bool:
    since = reform.about.effective
    return date is not None and since is not None and since <= date


def _named_once(problem: Problem) -> Problem:
    """A problem with a setting, which names its path already."""
    option = problem.mark.file.removeprefix(SETTING)
    if option == problem.mark.file or not problem.path.startswith(option):
        return problem
    rest = problem.path.removeprefix(option)
    if rest and rest[0] not in ".[":  # a longer name
        return problem
    return replace(problem, path=rest.removeprefix("."))


def scenario_from(data: Mapping[str, Any]) -> Scenario:
    """The scenario in Python dicts, lists and scalars, through the checks that a file goes through.

    Raises ScenarioError; its problems have paths but no lines.
    """
    mark = Mark("data")
    try:
        tree = from_plain(data, mark, None)
    except (ValueError, TypeError, RecursionError) as error:
        raise ScenarioError([Problem(mark, "", str(error))]) from None
    if not isinstance(tree, MapNode):
        raise ScenarioError([Problem(mark, "", "a map is wanted")])
    whole = with_likes(without_dates(tree))
    if DATED in tree.entries:
        entries = {**whole.entries, DATED: tree.entries[DATED]}
        whole = replace(whole, entries=entries, key_marks={**whole.key_marks, DATED: mark})
    return scenario_of(whole)


def resolved_yaml(loaded: Loaded) -> str:
    """The whole scenario as YAML: every value explicit, with where it is from behind it.

    It needs no other file, and loads as an equal scenario.
    """
    return resolved_text(loaded.scenario, loaded.tree)


def provenance(loaded: Loaded) -> list[Provenance]:
    """Every number of a scenario file, with what is said about where it is from."""
    return provenance_of(loaded.tree)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of scenario files and reform files, for editors."""
    return schema.file_schema(Scenario, Reform)


def root_of(path: Path) -> Path:
    """The folder that all files of a scenario must lie in: `scenarios` above it, or its own."""
    folder = Path(os.path.abspath(path)).parent
    return next((above for above in (folder, *folder.parents) if above.name == ROOT_NAME), folder)


# Files


@dataclass(frozen=True)
class _Patch:
    """What changes a scenario, and what it may do: a file may make anything new."""

    node: MapNode
    kind: Literal["file", "reform", "setting"] = "file"


@dataclass
class _Files:
    """Reads the files of one scenario and keeps what is wrong with them."""

    first: Path
    problems: list[Problem] = field(default_factory=list)
    roots: dict[str, Path] = field(default_factory=dict)
    """Root folder of each file that was read."""
    reforms: list[ReformFile] = field(default_factory=list)
    """Those that count so far."""
    dated: dict[str, Node] | None = None
    """What those say that take effect on their dates, by name; None if there is no word of it."""

    def raise_problems(self) -> None:
        if self.problems:
            raise ScenarioError(list(dict.fromkeys(self.problems)))

    def read(self, path: Path, root: Path, wanted_at: Mark | None = None) -> MapNode | None:
        """A file's tree; `wanted_at` is where another file names it."""
        self.roots[str(path)] = root
        try:
            return read_document(path, root)
        except ScenarioError as error:
            for problem in error.problems:
                if problem.mark.line == 0 and wanted_at is not None:
                    problem = Problem(wanted_at, "", f"{problem.mark.file} {problem.message}")
                self.problems.append(problem)
            return None

    def patches(
        self, path: Path, wanted_at: Mark | None = None, chain: tuple[Path, ...] = ()
    ) -> list[_Patch]:
        """What a file builds on, and the file itself, in the order in which they count."""
        root = root_of(self.first)
        document = self.read(path, root, wanted_at)
        if document is None:
            return []
        if REFORM in document.entries:
            message = f"this is a reform; name it under '{REFORMS}' of a scenario"
            self.problems.append(Problem(document.key_marks[REFORM], "", message))
            return []
        patches: list[_Patch] = []
        base = document.entries.get(EXTENDS)
        chain = (*chain, path)
        if base is not None:
            name = self.file_name(base, EXTENDS)
            below = name and self.path_beside(document, name)
            if below and _is_among(below, chain):
                names = " -> ".join(map(str, (*chain, below)))
                self.problems.append(Problem(base.mark, EXTENDS, f"files go round: {names}"))
            elif below:
                patches += self.patches(below, base.mark, chain)
        patches += self.composed(self.named(document, REFORMS, root))
        self.date(document, root)
        return [*patches, _Patch(without(document, (EXTENDS, REFORMS, DATED)))]

    def named(self, document: MapNode, key: str, root: Path) -> list[ReformFile]:
        """The reforms that a file lists under a key."""
        reforms = document.entries.get(key)
        if reforms is not None and not isinstance(reforms, ListNode):
            self.problems.append(Problem(reforms.mark, key, "a list of files is wanted"))
        named: list[Path] = []
        found: list[ReformFile | None] = []
        for reform in reforms.items if isinstance(reforms, ListNode) else ():
            if name := self.file_name(reform, key):
                below = self.path_beside(document, name)
                if _is_among(below, named):
                    message = f"'{shown(name)}' is named twice; a reform counts once"
                    self.problems.append(Problem(reform.mark, key, message))
                else:
                    found.append(self.reform(below, root, reform.mark))
                named.append(below)
        return [reform for reform in found if reform is not None]

    def date(self, document: MapNode, root: Path | None = None) -> None:
        """Note the reforms that a file, or an option, lets take effect on their dates.

        A file lists files, in the place of all before; null takes all of them out. A map is what a
        resolved file says; there null takes one out.
        """
        node = document.entries.get(DATED)
        if node is None:
            return
        if is_null(node):
            self.dated = None
            return
        if not isinstance(node, MapNode):
            if root is None:
                message = f"only a file can list them; {DATED}.NAME=null takes one out"
                self.problems.append(Problem(node.mark, DATED, message))
                return
            found = self.named(document, DATED, root)
            self.dated = {reform.name: without(reform.tree, (REFORM,)) for reform in found}
            return
        self.dated = {} if self.dated is None else self.dated
        for name, below in node.entries.items():
            if is_null(below):
                if self.dated.pop(name, None) is None:
                    message = f"nothing to remove here.{suggest(name, self.dated)}"
                    place = below.mark, dotted((DATED, name))
                    self.problems.append(Problem(*place, message.removesuffix(".")))
            else:
                before = self.dated.get(name)
                is_setting = root is None and isinstance(before, MapNode)
                if is_setting and isinstance(before, MapNode) and isinstance(below, MapNode):
                    below = merge(before, below)
                self.dated[name] = below

    def with_dated(self, tree: MapNode) -> MapNode:
        """A tree with the reforms that take effect within its horizon."""
        if self.dated is None:
            return tree
        applied = {reform.name for reform in self.reforms}
        for name, node in self.dated.items():
            if name in applied:
                message = f"the reform '{shown(name)}' holds from the beginning already"
                self.problems.append(Problem(node.mark, DATED, message))
        # What holds from the beginning is part of what they build on.
        dated = {name: without_names(node, applied) for name, node in self.dated.items()}
        node = MapNode(dated, {name: below.mark for name, below in dated.items()}, tree.mark)
        entries = {**tree.entries, DATED: node}
        return replace(tree, entries=entries, key_marks={**tree.key_marks, DATED: tree.mark})

    def check_later_reforms(self) -> None:
        """Those with dates say nothing else of a place than those that hold from the beginning.

        Their values are right; what they build on is still among what they name.
        """
        mark = Mark(str(self.first))
        later = dated_reforms(MapNode({DATED: MapNode(self.dated or {}, {}, mark)}, {}, mark))
        for pair in itertools.product(self.reforms, later):
            self.problems += contradictions(pair)

    def given(self, reforms: Sequence[str | Path], until: dt.date | None) -> list[ReformFile]:
        """The reforms named beside the scenario, and those of its folder that are in force."""
        root = root_of(self.first)
        if not self.first.is_absolute():
            root = Path(os.path.relpath(root))
        folder = root / FOLDER
        paths: list[Path] = []
        for reform in dict.fromkeys(reforms):
            try:
                paths.append(path_of(reform, folder))
            except ScenarioError as error:
                self.problems += error.problems
        found = [self.reform(path, root_of(path)) for path in paths]
        if until is not None:
            if not folder.is_dir():
                message = f"there is no folder {folder} of reforms"
                self.problems.append(Problem(Mark("--until"), "", message))
            others = [path for path in files_in(folder) if not _is_among(path, paths)]
            dated = [self.reform(path, root_of(path)) for path in others]
            applied = {reform.name for reform in self.reforms}
            found += [r for r in dated if r and _in_force(r, until) and r.name not in applied]
        return [reform for reform in found if reform is not None]

    def reform(self, path: Path, root: Path, wanted_at: Mark | None = None) -> ReformFile | None:
        """A reform; nothing if its file is wrong."""
        document = self.read(path, root, wanted_at)
        if document is None:
            return None
        reform, problems = problems_of(Reform, document)
        if REFORM not in document.entries and "changes" not in document.entries:
            message = f"this is no reform: it says neither '{REFORM}' nor 'changes'"
            if document.entries.keys() & {EXTENDS, *Scenario.model_fields}:
                message = f"this is a scenario; only reforms are named under '{REFORMS}'"
            problems = [Problem(document.mark, "", message)]
        changes = document.entries.get("changes")
        if isinstance(changes, MapNode) and DATED in changes.entries:
            message = "a reform cannot say when others take effect; name them in a scenario"
            problems.append(Problem(changes.key_marks[DATED], f"changes.{DATED}", message))
        self.problems += sorted(problems, key=lambda problem: problem.mark)
        return None if reform is None else ReformFile(reform, document)

    def composed(self, reforms: Sequence[ReformFile]) -> list[_Patch]:
        """What reforms that are named in one place change together."""
        if self.problems:  # of one that is wrong others may not be able to tell
            return []
        try:
            order = in_order(reforms, [reform.name for reform in self.reforms])
        except ScenarioError as error:
            self.problems += error.problems
            return []
        self.problems += contradictions(order)
        self.reforms += order
        return [_Patch(piece, "reform") for piece in united(order)]

    def setting(self, text: str) -> MapNode:
        """The patch that an option stands for."""
        try:
            patch = parse_setting(text)
        except ScenarioError as error:
            self.problems += error.problems
            return MapNode({}, {}, Mark(SETTING.strip()))
        for key in patch.entries.keys() & {EXTENDS, REFORMS}:
            message = f"'{key}' cannot be set; only a file can say it"
            self.problems.append(Problem(patch.mark, "", message))
        self.date(patch)
        return without(patch, (DATED,))

    def merged(self, tree: MapNode, patch: _Patch) -> MapNode:
        """The tree with a patch and its gaps closed; without it if it does not fit."""
        problems = []
        if patch.kind == "setting":
            problems = new_names(tree, patch.node)
        elif patch.kind == "reform":
            problems = unfinished(tree, patch.node)
        if problems:
            self.problems += problems
            return tree
        try:
            return overlaid(tree, patch.node)
        except ScenarioError as error:
            self.problems += error.problems
            return tree

    def file_name(self, node: Node, key: str) -> str | None:
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
            return node.value
        self.problems.append(Problem(node.mark, key, "the name of a file is wanted"))
        return None

    def path_beside(self, document: MapNode, name: str) -> Path:
        return self.beside(document.mark, name)[0]

    def beside(self, mark: Mark, name: str) -> tuple[Path, Path]:
        """The path of a file named at a mark, relative to the file of that mark; and its root."""
        file = mark.file if mark.file in self.roots else str(self.first)
        return Path(os.path.normpath(Path(file).parent / name)), self.roots[file]


def _is_among(path: Path, chain: Sequence[Path]) -> bool:
    return os.path.realpath(path) in map(os.path.realpath, chain)
