"""What is between two scenarios, as groups of reforms that are switched on and off together.

The reforms are those given beside a scenario, or those of a second scenario that is built on the
first by reforms alone. A reform that is in no group is one by itself. Every group must have a
meaning without the others: one whose reforms need those of another is refused, before anything
is loaded that takes long.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sim.documents import read_document
from sim.errors import Mark, Problem, ScenarioError
from sim.fields import Model, OptionalLabel, SomeNames
from sim.from_tree import problems_of
from sim.loading import EXTENDS, Loaded, load_document, root_of
from sim.reforms import FOLDER, ReformFile, files_in
from sim.sources import as_data
from sim.tree import Scalar, locate, shown, suggest

TELLS_NOTHING: Final = ("label", "description", "published")
"""Keys of a scenario that change nothing in what happens."""
MOST_PROBLEMS: Final = 5
"""Combinations that cannot be loaded, as far as they are told."""
_NAME: Final = re.compile(r"[^\W\d][\w-]*")


class GroupInFile(Model):
    """Reforms that are switched together."""

    label: OptionalLabel = None
    """What people read."""
    reforms: SomeNames
    """Their names."""


class GroupsFile(Model):
    """A file of groups of reforms."""

    groups: dict[str, GroupInFile]
    """By name."""


@dataclass(frozen=True)
class Group:
    """Reforms that are switched together."""

    name: str
    label: str
    """What people read."""
    reforms: tuple[ReformFile, ...]

    @property
    def since(self) -> dt.date:
        """When the first of them took effect; the last of days if none has a date."""
        return min(reform.about.effective or dt.date.max for reform in self.reforms)


@dataclass(frozen=True)
class Switches:
    """A scenario, and the groups of reforms that lead from it to another."""

    before: Loaded
    """None is on."""
    after: Loaded
    """All are on."""
    groups: tuple[Group, ...]
    settings: tuple[str, ...] = ()

    def chosen(self, coalition: int) -> tuple[Group, ...]:
        """The groups that are on; bit i is group i."""
        return tuple(group for i, group in enumerate(self.groups) if coalition >> i & 1)

    def name(self, coalition: int) -> str:
        """Such as `hall+online+one-window`."""
        return "+".join([self.before.name, *(group.name for group in self.chosen(coalition))])

    def load(self, coalitions: Iterable[int]) -> dict[str, Loaded]:
        """The scenarios in which just these groups are on, by name.

        Raises ScenarioError for those that cannot be used, the smallest first.
        """
        loaded: dict[str, Loaded] = {}
        problems: list[Problem] = []
        for coalition in sorted(
            coalitions, key=lambda coalition: (coalition.bit_count(), coalition)
        ):
            groups, name = self.chosen(coalition), self.name(coalition)
            try:
                reforms = [path_of(reform) for group in groups for reform in group.reforms]
                document = load_document(self.before.path, self.settings, reforms)
            except ScenarioError as error:
                problems += [self._in_words(problem, groups) for problem in error.problems[:1]]
                if len(problems) == MOST_PROBLEMS:
                    break
                continue
            loaded[name] = replace(document, name=name)
        if problems:
            raise ScenarioError(problems)
        return loaded

    def _in_words(self, problem: Problem, groups: Sequence[Group]) -> Problem:
        """A problem that a combination of groups has, and perhaps no other."""
        others = [group.name for group in self.groups if group not in groups]
        names = ", ".join(group.name for group in groups)
        without = f" without {', '.join(others)}" if others else ""
        message = (
            f"{problem.message} (with {names}{without}; reforms that cannot do without each other "
            "are one group: --group NAME=REFORM,REFORM)"
        )
        return replace(problem, message=message)


def path_of(reform: ReformFile) -> Path:
    """The file that a reform stands in."""
    return Path(reform.tree.mark.file)


def switches(
    source: str | Path,
    to: str | Path | None = None,
    *,
    reforms: Sequence[str | Path] = (),
    until: str | dt.date | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    groups_file: str | Path | None = None,
    settings: Sequence[str] = (),
) -> Switches:
    """What is between a scenario and another, in groups.

    to           a scenario that extends the first and changes it by reforms alone; or else
    reforms      those beside it, and those in force at the date `until`, as in `load_document`.
    groups       names of the reforms of each group.
    groups_file  more groups. Those of its reforms that are not between the two are passed over,
                 so that one file serves for every date.
    settings     such as `pools.windows.shifts.day.servers=4`, for all scenarios.

    Raises ScenarioError.
    """
    is_beside = bool(reforms) or until is not None
    if (to is not None) == is_beside:
        message = "reforms are wanted: a scenario TO that lists them, or --with or --until"
        if is_beside:
            message = "either a scenario TO that lists the reforms, or --with and --until, not both"
        raise ScenarioError([Problem(Mark("hall attribute"), "", message)])
    before = load_document(source, settings)
    if to is None:
        after = load_document(source, settings, reforms, until)
    else:
        after = _built_on(before, load_document(to, settings), settings)
    own = {reform.name for reform in before.reforms}
    between = [reform for reform in after.reforms if reform.name not in own]
    if not between:
        message = f"no reform is between {before.name} and {after.name}"
        raise ScenarioError([Problem(Mark(str(after.path)), "", message)])
    named = [] if groups_file is None else list(_read_groups(Path(groups_file)))
    named += [
        _Named(name, None, tuple(r), Mark(f"--group {shown(name)}"))
        for name, r in (groups or {}).items()
    ]
    made = _grouped(named, between, root_of(before.path) / FOLDER)
    problems = list(_dependent(made, own))
    if problems:
        raise ScenarioError(problems)
    return Switches(before, after, tuple(made), tuple(settings))


# From one scenario to another


def _built_on(before: Loaded, after: Loaded, settings: Sequence[str]) -> Loaded:
    """The scenario `after`, if it is the other one under the reforms that it lists."""
    if not any(os.path.samefile(path, before.path) for path in _chain(after.path)):
        message = f"is not built on {before.path}; it says 'extends' that file, or one that does"
        raise ScenarioError([Problem(Mark(str(after.path)), EXTENDS, message)])
    own = {reform.name for reform in before.reforms}
    listed = [path_of(reform) for reform in after.reforms if reform.name not in own]
    made = as_data(load_document(before.path, settings, listed).scenario)
    found = as_data(after.scenario)
    differing = [
        key
        for key in dict.fromkeys([*made, *found])
        if key not in TELLS_NOTHING and made.get(key) != found.get(key)
    ]
    if differing:
        message = (
            f"changes {', '.join(differing)} by more than its reforms; put that into a reform of "
            "its own, so that it can be switched too"
        )
        raise ScenarioError([Problem(Mark(str(after.path)), "", message)])
    return after


def _chain(path: Path) -> Iterator[Path]:
    """The files that a file builds on, nearest first."""
    root = root_of(path)
    while True:
        below = read_document(path, root).entries.get(EXTENDS)
        if not isinstance(below, Scalar):
            return
        path = Path(os.path.normpath(path.parent / str(below.value)))
        yield path


# Groups


@dataclass(frozen=True)
class _Named:
    """A group as somebody wrote it."""

    name: str
    label: str | None
    reforms: tuple[str, ...]
    mark: Mark
    marks: tuple[Mark, ...] = ()
    """Of each reform, in a file."""

    def mark_of(self, index: int) -> Mark:
        """Where a reform is named."""
        return self.marks[index] if self.marks else self.mark


def _read_groups(path: Path) -> Iterator[_Named]:
    tree = read_document(path, root_of(path))
    found, problems = problems_of(GroupsFile, tree)
    if found is None:
        raise ScenarioError(problems)
    for name, group in found.groups.items():
        here = ["groups", name]
        marks = tuple(locate(tree, [*here, "reforms", i]) for i in range(len(group.reforms)))
        label = group.label.text() if group.label else None
        yield _Named(name, label, group.reforms, locate(tree, here), marks)


def _grouped(named: Sequence[_Named], between: Sequence[ReformFile], folder: Path) -> list[Group]:
    """The groups, then every other reform by itself; in the order of their dates."""
    by_name = {reform.name: reform for reform in between}
    elsewhere = {path.stem for path in files_in(folder)} - by_name.keys()
    problems: list[Problem] = []
    groups: list[Group] = []
    group_of: dict[str, str] = {}
    for one in named:
        if not _NAME.fullmatch(one.name):
            message = f"'{shown(one.name)}' is no name of a group: letters, digits, - and _"
            problems.append(Problem(one.mark, "", message))
        for index, name in enumerate(one.reforms):
            mark = one.mark_of(index)
            if name in group_of:
                twice = f"the reform '{shown(name)}' is in the group '{group_of[name]}' already"
                problems.append(Problem(mark, "", twice))
            elif name not in by_name and (name not in elsewhere or not one.marks):
                known = f"{suggest(name, by_name)} Reforms: {', '.join(by_name)}"
                message = f"'{shown(name)}' is none of the reforms that are switched.{known}"
                problems.append(Problem(mark, "", message))
            group_of[name] = one.name
        mine = tuple(reform for reform in between if group_of.get(reform.name) == one.name)
        if mine:
            groups.append(Group(one.name, one.label or one.name, mine))
    for reform in between:
        if reform.name not in group_of:
            label = reform.about.label
            groups.append(Group(reform.name, label.text() if label else reform.name, (reform,)))
    for name in sorted({a.name for a, b in itertools.combinations(groups, 2) if a.name == b.name}):
        message = f"two groups are called '{shown(name)}'; a reform by itself is one of its name"
        problems.append(Problem(Mark(f"--group {shown(name)}"), "", message))
    if problems:
        raise ScenarioError(problems)
    return sorted(groups, key=lambda group: group.since)


def _dependent(groups: Sequence[Group], own: Collection[str]) -> Iterator[Problem]:
    """Every reform that needs one of another group, and how to group them.

    own  names of the reforms that are always on.
    """
    group_of = {reform.name: group for group in groups for reform in group.reforms}
    tied = _tied(groups, group_of)
    for group in groups:
        for reform in group.reforms:
            for index, needed in enumerate(reform.about.needs):
                if needed in own or group_of[needed] is group:
                    continue
                other = group_of[needed]
                together = ",".join(r.name for one in tied[group.name] for r in one.reforms)
                message = (
                    f"the group '{group.name}' cannot be switched on without '{other.name}': the "
                    f"reform '{reform.name}' needs '{needed}'; make them one group: "
                    f"--group {other.name}={together}"
                )
                yield Problem(locate(reform.tree, ["needs", index]), "needs", message)


def _tied(groups: Sequence[Group], group_of: Mapping[str, Group]) -> dict[str, list[Group]]:
    """For each group all that are tied to it by what reforms need, itself among them."""
    label = {group.name: number for number, group in enumerate(groups)}
    for group in groups:
        for needed in (name for reform in group.reforms for name in reform.about.needs):
            if needed in group_of:
                old, new = label[group_of[needed].name], label[group.name]
                label = {name: new if at == old else at for name, at in label.items()}
    return {
        group.name: [other for other in groups if label[other.name] == label[group.name]]
        for group in groups
    }
