"""Reforms: which are meant, in which order they count, whether they agree, and what they add up to.

A reform is a file of changes (see `Reform`) under the folder `reforms` beside the scenarios. Those
that are named together become one piece, so that the order in which they are named means nothing:

-   They count by the date since which they hold, then by name; those without a date come last.
-   Two that say different things of one place contradict each other, unless the later one names the
    earlier under `after` or `needs`: it was written for a scenario that has been changed by that.
    What it says then counts, but what one of them removes is gone, whatever another says of it.
-   What they say is laid over the scenario before anything is removed, so that what comes after an
    activity that one of them removes finds its way past it, whichever reform says so.

Reading files belongs to `loading`, laying pieces over a scenario to `overlays`.
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sim.errors import Mark, Problem, ScenarioError
from sim.fields import Date
from sim.scenario import DatedReform
from sim.tree import MapNode, Node, dotted, is_null, locate, merge, plain, shown, suggest

FOLDER: Final = "reforms"
ENDINGS: Final = (".yaml", ".yml")
_LONGEST_SUFFIX: Final = 40


class Reform(DatedReform):
    """A named change to a scenario, in a file of its own."""

    reform: str
    """Its name."""
    effective: Date | None = None  # type: ignore[assignment]
    """Since when it holds."""


@dataclass(frozen=True)
class ReformFile:
    """A reform, and the tree of the file that it stands in."""

    about: Reform
    tree: MapNode

    @property
    def name(self) -> str:
        """What other reforms call it."""
        return self.about.reform

    @property
    def changes(self) -> MapNode:
        """Its piece of a scenario."""
        changes = self.tree.entries["changes"]
        assert isinstance(changes, MapNode)
        return changes

    @property
    def known(self) -> tuple[str, ...]:
        """The reforms that it may build on."""
        return (*self.about.after, *self.about.needs)


# Which are meant


def path_of(reform: str | Path, folder: Path) -> Path:
    """The file of a reform: a path, or the name of a file in a folder.

    Raises ScenarioError for a name that is none, and says which there are.
    """
    if isinstance(reform, Path) or "/" in reform or reform.endswith(ENDINGS):
        return Path(reform)
    known = {path.stem: path for path in files_in(folder)}
    if reform not in known:
        message = f"no reform '{shown(reform)}' in {folder}.{suggest(reform, known)}"
        message += f" Reforms: {', '.join(known)}" if known else ""
        raise ScenarioError([Problem(Mark("--with"), "", message.removesuffix("."))])
    return known[reform]


def files_in(folder: Path) -> list[Path]:
    """The files of a folder of reforms, by name."""
    paths = (path for path in folder.glob("*") if path.suffix in ENDINGS)
    return sorted(paths, key=lambda path: path.stem)


def date_from(text: str | dt.date) -> dt.date:
    """A date such as 2018-12-31. Raises ScenarioError."""
    if isinstance(text, dt.date):
        return text
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        message = f"a date such as 2018-12-31 is wanted, not '{shown(text)}'"
        raise ScenarioError([Problem(Mark("--until"), "", message)]) from None


def name_with(name: str, until: dt.date | None, named: Sequence[str]) -> str:
    """Name of a scenario under reforms: `hall@2018-12-31+signature`; many are only counted."""
    reforms = "".join(f"+{reform}" for reform in named)
    if len(reforms) > _LONGEST_SUFFIX:
        reforms = f"+{len(named)}-reforms"
    return name + (f"@{until}" if until else "") + reforms


# In which order


def in_order(reforms: Sequence[ReformFile], earlier: Collection[str] = ()) -> list[ReformFile]:
    """Reforms by date, then name, each after those of its date that it builds on.

    earlier  names of those that a scenario has been changed by already.

    Raises ScenarioError for one that is there twice, lacks what it needs, or takes effect before
    what it builds on.
    """
    problems: list[Problem] = []
    by_name: dict[str, ReformFile] = {}
    for reform in reforms:
        if reform.name in by_name or reform.name in earlier:
            message = f"the reform '{shown(reform.name)}' is named twice; a reform counts once"
            problems.append(Problem(locate(reform.tree, ["reform"]), "reform", message))
        by_name.setdefault(reform.name, reform)
    for reform in by_name.values():
        problems += _out_of_order(reform, by_name, earlier)
    if problems:
        raise ScenarioError(problems)
    waiting = sorted(by_name.values(), key=lambda reform: (_since(reform), reform.name))
    order: list[ReformFile] = []
    while waiting:
        left = {reform.name for reform in waiting}
        ready = [reform for reform in waiting if not left & {*reform.known}]
        if not ready:
            names = ", ".join(shown(reform.name) for reform in waiting)
            message = f"reforms come after each other in a circle: {names}"
            raise ScenarioError([Problem(waiting[0].tree.mark, "", message)])
        order.append(ready[0])
        waiting.remove(ready[0])
    return order


def _since(reform: ReformFile) -> dt.date:
    return reform.about.effective or dt.date.max


def _out_of_order(
    reform: ReformFile, others: dict[str, ReformFile], earlier: Collection[str]
) -> Iterator[Problem]:
    for key in ("after", "needs"):
        for index, name in enumerate(getattr(reform.about, key)):
            mark, other = locate(reform.tree, [key, index]), others.get(name)
            if other is not None and _since(other) > _since(reform):
                dates = (f"holds {_when(other)}", f"'{shown(reform.name)}' {_when(reform)}")
                message = f"'{shown(name)}' {dates[0]}, {dates[1]}: it cannot build on that"
                yield Problem(mark, key, message)
            elif other is None and key == "needs" and name not in earlier:
                wanted = f"'{shown(reform.name)}' needs the reform '{shown(name)}'"
                hint = suggest(name, others.keys() - {reform.name})
                message = f"{wanted}, which is not among them.{hint}"
                yield Problem(mark, key, message.removesuffix("."))


def _when(reform: ReformFile) -> str:
    since = reform.about.effective
    return f"from {since} on" if since else "from no date"


# Whether they agree


def contradictions(reforms: Sequence[ReformFile]) -> list[Problem]:
    """Every place of which two reforms say different things, neither knowing of the other.

    reforms  in their order.
    """
    return [
        problem
        for first, second in itertools.combinations(reforms, 2)
        if first.name not in second.known
        for problem in _clashes(first, second, first.changes, second.changes, ())
    ]


def _clashes(
    first: ReformFile, second: ReformFile, one: MapNode, other: MapNode, path: tuple[str, ...]
) -> Iterator[Problem]:
    for key in other.entries:
        if key not in one.entries:
            continue
        old, new, here = one.entries[key], other.entries[key], (*path, key)
        if isinstance(old, MapNode) and isinstance(new, MapNode):
            yield from _clashes(first, second, old, new, here)
        elif plain(old) != plain(new):
            does = f"sets this otherwise than '{shown(first.name)}'"
            if is_null(old):
                does = f"changes what '{shown(first.name)}' removes"
            elif is_null(new):
                does = f"removes what '{shown(first.name)}' changes"
            message = f"'{shown(second.name)}' {does} ({old.mark})"
            hint = f"; if it builds on that, it says 'after: [{shown(first.name)}]'"
            yield Problem(new.mark, dotted(here), message + hint)


# What they add up to


def united(reforms: Sequence[ReformFile]) -> list[MapNode]:
    """All reforms as two pieces: what they say, then what they remove.

    reforms  in their order, without contradictions.
    """
    pieces = []
    for part, join in ((_values, merge), (_removals, _all_removed)):
        whole: MapNode | None = None
        for reform in reforms:
            piece = part(reform.changes)
            whole = piece if whole is None else join(whole, piece)
        if whole is not None and whole.entries:
            pieces.append(whole)
    return pieces


def _values(node: MapNode) -> MapNode:
    """A piece without its nulls, and without the maps in which nothing else stood."""
    entries: dict[str, Node] = {}
    for key, below in node.entries.items():
        if isinstance(below, MapNode) and below.entries:
            below = _values(below)
            if not below.entries:
                continue
        if not is_null(below):
            entries[key] = below
    return replace(node, entries=entries)


def _removals(node: MapNode) -> MapNode:
    """The nulls of a piece."""
    entries: dict[str, Node] = {}
    for key, below in node.entries.items():
        if isinstance(below, MapNode):
            below = _removals(below)
            if below.entries:
                entries[key] = below
        elif is_null(below):
            entries[key] = below
    return replace(node, entries=entries)


def _all_removed(first: MapNode, second: MapNode) -> MapNode:
    """The nulls of both; one that removes more counts."""
    entries = dict(first.entries)
    for key, below in second.entries.items():
        old = entries.get(key)
        if isinstance(old, MapNode) and isinstance(below, MapNode):
            entries[key] = _all_removed(old, below)
        elif old is None or isinstance(old, MapNode):
            entries[key] = below
    return replace(first, entries=entries, key_marks={**second.key_marks, **first.key_marks})
