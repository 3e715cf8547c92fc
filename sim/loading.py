"""Scenario files to and from `Scenario`: what a file builds on, reforms, settings, all problems.

A file may name another that it `extends` and a list of `reforms`; neither is part of the scenario.
The order in which they count, later ones over earlier ones:

    extends · its own reforms · the file itself · reforms given beside it · settings (`--set`)

each a patch over what came before (see `overlays`).

Reading YAML belongs to `documents`, CSV files to `recordings`, and what is wrong with the values to
`scenario`, `model_errors` and `validation`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import ValidationError

from sim import schema, validation
from sim.documents import SETTING, from_plain, parse_setting, read_document
from sim.errors import Mark, Problem, ScenarioError
from sim.fields import Date, Model, OptionalLabel
from sim.model_errors import KEY_PART, existing, model_of_the_rest, model_problems, problem_at
from sim.name_checks import check_names
from sim.overlays import new_names, overlaid, unfinished_types, with_likes
from sim.recordings import MAX_ROW_PROBLEMS, and_more, inline_recordings
from sim.resolved import Provenance, provenance_of, resolved_text
from sim.scenario import Scenario
from sim.tree import ListNode, MapNode, Node, Scalar, find, plain, shown

EXTENDS: Final = "extends"
REFORMS: Final = "reforms"
REFORM: Final = "reform"
ROOT_NAME: Final = "scenarios"
"""A folder of this name is the root of every scenario below it."""

_STAND_INS: Final = {
    "hours": {"stand_in": []},
    "working_hours": "stand_in",
    "horizon": {"from": "2015-01-01", "to": "2015-01-01"},
}
"""For what every scenario needs, so that the rest can be looked at without it."""

_Model = TypeVar("_Model", bound=Model)


@dataclass(frozen=True)
class Loaded:
    """A scenario, and the tree that it was made from: where each value stands and is from."""

    name: str
    """Name of the file, without its ending."""
    path: Path
    scenario: Scenario
    tree: MapNode
    """Everything merged, CSV files in the place of their names."""


class Reform(Model):
    """A named change to a scenario, in a file of its own."""

    reform: str
    """Its name."""
    label: OptionalLabel = None
    """What people read."""
    effective: Date | None = None
    """Since when it holds."""
    changes: dict[str, Any]
    """What becomes different: a piece of a scenario; null removes."""


def load(
    path: str | Path, settings: Sequence[str] = (), reforms: Sequence[str | Path] = ()
) -> Scenario:
    """The scenario in a file; see `load_document`."""
    return load_document(path, settings, reforms).scenario


def load_document(
    path: str | Path, settings: Sequence[str] = (), reforms: Sequence[str | Path] = ()
) -> Loaded:
    """The scenario in a file, and where each of its values is from.

    settings  such as `pools.windows.shifts.day.servers=4`.
    reforms   files that change the scenario after its own.

    Raises ScenarioError with every problem that was found.
    """
    try:
        return _load(Path(path), settings, [Path(reform) for reform in reforms])
    except ScenarioError as error:
        raise ScenarioError([_named_once(problem) for problem in error.problems]) from None


def _load(path: Path, settings: Sequence[str], reforms: Sequence[Path]) -> Loaded:
    files = _Files(path)
    patches = files.patches(path)
    patches += [_Patch(files.changes(reform, root_of(reform)), "reform") for reform in reforms]
    patches += [_Patch(files.setting(text), "setting") for text in settings]
    files.raise_problems()
    tree = replace(patches[0].node, entries={}, key_marks={}, mark=Mark(str(path), 1, 1))
    for patch in patches:
        tree = files.merged(tree, patch)
    files.raise_problems()
    tree = inline_recordings(tree, files.beside)
    return Loaded(path.stem, path, _scenario_of(tree, on_top=True), tree)


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
    return _scenario_of(with_likes(tree))


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
        reforms = document.entries.get(REFORMS)
        if reforms is not None and not isinstance(reforms, ListNode):
            self.problems.append(Problem(reforms.mark, REFORMS, "a list of files is wanted"))
        named: list[Path] = []
        for reform in reforms.items if isinstance(reforms, ListNode) else ():
            if name := self.file_name(reform, REFORMS):
                below = self.path_beside(document, name)
                if _is_among(below, named):
                    message = f"'{shown(name)}' is named twice; a reform counts once"
                    self.problems.append(Problem(reform.mark, REFORMS, message))
                else:
                    patches.append(_Patch(self.changes(below, root, reform.mark), "reform"))
                named.append(below)
        return [*patches, _Patch(_without(document, (EXTENDS, REFORMS)))]

    def changes(self, path: Path, root: Path, wanted_at: Mark | None = None) -> MapNode:
        """What a reform changes; an empty map if its file is wrong."""
        document = self.read(path, root, wanted_at)
        if document is not None:
            problems = _problems_of(Reform, document)[1]
            changes = document.entries.get("changes")
            if REFORM not in document.entries and changes is None:
                message = f"this is no reform: it says neither '{REFORM}' nor 'changes'"
                if document.entries.keys() & {EXTENDS, *Scenario.model_fields}:
                    message = f"this is a scenario; only reforms are named under '{REFORMS}'"
                problems = [Problem(document.mark, "", message)]
            if isinstance(changes, MapNode) and not problems:
                return changes
            self.problems += problems
        return MapNode({}, {}, wanted_at or Mark(str(path)))

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
        return patch

    def merged(self, tree: MapNode, patch: _Patch) -> MapNode:
        """The tree with a patch and its gaps closed; without it if it does not fit."""
        problems = []
        if patch.kind == "setting":
            problems = new_names(tree, patch.node)
        elif patch.kind == "reform":
            problems = unfinished_types(tree, patch.node)
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


def _without(node: MapNode, keys: Sequence[str]) -> MapNode:
    entries = {key: below for key, below in node.entries.items() if key not in keys}
    marks = {key: mark for key, mark in node.key_marks.items() if key not in keys}
    return replace(node, entries=entries, key_marks=marks)


# From tree to scenario


def _scenario_of(tree: MapNode, on_top: bool = False) -> Scenario:
    scenario, problems = _problems_of(Scenario, tree, on_top)
    if scenario is None:
        problems += _strange_names(tree)
    else:
        findings = validation.check(scenario)
        problems = [problem_at(tree, path, message) for path, message in findings]
    if problems or scenario is None:
        raise ScenarioError(_in_order(problems))
    return scenario


def _problems_of(
    model: type[_Model], tree: MapNode, on_top: bool = False
) -> tuple[_Model | None, list[Problem]]:
    try:
        return model.model_validate(plain(tree)), []
    except ValidationError as error:
        return None, model_problems(error, tree, schema.with_file_keys(model, on_top=on_top))


def _strange_names(tree: MapNode) -> list[Problem]:
    """Names that nothing in a file bears whose values cannot all be used.

    They are looked for in what is left without those values. What was left out may bear a name
    too, so that only names are reported that are no key at all, and have others to choose from.
    """
    scenario = model_of_the_rest(Scenario, tree, _STAND_INS)
    if scenario is None:
        return []
    keys = set(_all_keys(tree))
    problems = []
    for path, message in check_names(scenario):
        node = find(tree, existing(tree, path))
        name = path[-2] if path[-1] == KEY_PART else plain(node) if node else None
        is_strange = isinstance(name, str) and name not in keys
        if is_strange and message.startswith("no ") and "There are none" not in message:
            problems.append(problem_at(tree, path, message))
    # Activities that were left out may have had milestones.
    return [problem for problem in problems if not problem.message.startswith("no milestone")]


def _all_keys(node: Node) -> Iterator[str]:
    match node:
        case MapNode():
            yield from node.entries
            for below in node.entries.values():
                yield from _all_keys(below)
        case ListNode():
            for item in node.items:
                yield from _all_keys(item)
        case _:
            return


def _in_order(problems: Sequence[Problem]) -> list[Problem]:
    """Problems file by file and line by line; those of a recording's rows cut short."""
    files = list(dict.fromkeys(problem.mark.file for problem in problems))
    by_list: dict[str, list[Problem]] = {}
    kept = []
    for problem in sorted(problems, key=lambda p: (files.index(p.mark.file), p.mark)):
        same_list = by_list.setdefault(_recording(problem), [])
        same_list.append(problem)
        if len(same_list) <= MAX_ROW_PROBLEMS or not _recording(problem):
            kept.append(problem)
    more = (found[MAX_ROW_PROBLEMS:] for place, found in by_list.items() if place)
    return [*kept, *(and_more(rest) for rest in more if rest)]


def _recording(problem: Problem) -> str:
    """Path of the recorded list that a problem is about, or nothing."""
    place = problem.path.rpartition("[")[0]
    return place if ".arrivals.recorded" in place else ""
