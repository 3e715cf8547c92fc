"""One piece of a scenario laid over another: what later files, reforms and settings change.

It is a JSON merge patch (see `tree.merge`) that knows three things about scenarios:

-   When a patch leaves an activity out, the gap closes: what came after it comes after what it came
    after.
-   A case type that is `like` another begins as a copy of it, as it stands where that is said, and
    what else is said of it is a patch over that copy. Later patches change one without the other.
-   A setting changes what is there: under a key of names it makes nothing new, since a name that is
    not there is most likely mistyped. A reform may make something new, if it says what that needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from sim.errors import Mark, Problem, ScenarioError
from sim.tree import (
    KeyPath,
    ListNode,
    MapNode,
    Node,
    Scalar,
    child,
    dotted,
    find,
    is_null,
    merge,
    shown,
    suggest,
    without,
)

LIKE: Final = "like"
_TYPES: Final = "case_types"
_ANY: Final = "*"
_NAMED: Final = frozenset(
    {
        *((key,) for key in ("hours", "profiles", "trips", "pools", "promises", "published")),
        ("pools", _ANY, "shifts"),
        (_TYPES,),
        (_TYPES, _ANY, "activities"),
        (_TYPES, _ANY, "attributes"),
        (_TYPES, _ANY, "attributes", _ANY),
    }
)
"""The maps whose keys are names that the scenario gives, not keys of the format."""
_NEEDED: Final[Mapping[tuple[str, ...], tuple[str, ...]]] = {
    (_TYPES,): ("arrivals", "activities"),
    (_TYPES, _ANY, "activities"): ("label",),
    ("pools",): ("shifts",),
    ("pools", _ANY, "shifts"): ("servers", "hours"),
    ("trips",): ("label",),
    ("promises",): ("label",),
}
"""What a reform says of something that it makes new, by the map in which it does so."""
_USED: Final = frozenset({("hours",), ("profiles",), (_TYPES, _ANY, "attributes")})
"""The maps in which what a reform makes new does nothing unless the reform names it elsewhere."""
_MOST_NAMES: Final = 12


def overlaid(tree: MapNode, patch: MapNode) -> MapNode:
    """The tree changed by a patch.

    Raises ScenarioError for nulls that remove nothing, and for likenesses to nothing.
    """
    similar = _similar_types(patch)
    if not similar:
        return _close_gaps(tree, merge(tree, patch))
    types = patch.entries[_TYPES]
    assert isinstance(types, MapNode)
    others = replace(patch, entries={**patch.entries, _TYPES: without(types, similar)})
    merged = _close_gaps(tree, merge(tree, others))
    for name in _in_order(similar):
        own = similar[name]
        model = find(merged, [_TYPES, _model(own)])
        if model is None:
            raise _nothing_like(name, own, [*_keys(find(merged, [_TYPES]))])
        merged = _put(merged, [_TYPES, name], model, types.key_marks[name])
        change = MapNode({name: without(own, [LIKE])}, types.key_marks, types.mark)
        change = MapNode({_TYPES: change}, patch.key_marks, patch.mark)
        merged = _close_gaps(merged, merge(merged, change))
    whole = merged.entries[_TYPES]
    assert isinstance(whole, MapNode)
    # In the order of the file, as if each had been written out.
    order = dict.fromkeys([*_keys(find(tree, [_TYPES])), *types.entries])
    entries = {name: whole.entries[name] for name in order if name in whole.entries}
    return replace(merged, entries={**merged.entries, _TYPES: replace(whole, entries=entries)})


def with_likes(tree: MapNode) -> MapNode:
    """A tree in which every case type is written out."""
    return overlaid(replace(tree, entries={}, key_marks={}), tree) if _similar_types(tree) else tree


# Names that are not there


def new_names(tree: MapNode, setting: MapNode) -> list[Problem]:
    """Every name that a setting speaks of and the tree does not know; nulls are left to merging."""
    # The mark of a setting is its path, and the message says in which map the name is wanted.
    return [replace(problem, path="") for problem in _new_names(tree, setting, (), ())]


def _new_names(
    node: Node | None, change: MapNode, path: tuple[str, ...], pattern: tuple[str, ...]
) -> Iterator[Problem]:
    is_named = pattern in _NAMED
    for key, below in change.entries.items():
        if is_named and key not in _keys(node) and not is_null(below):
            yield _unknown_name(node, change, key, path)
        elif isinstance(below, MapNode):
            deeper = (*pattern, _ANY if is_named else key)
            yield from _new_names(node and child(node, key), below, (*path, key), deeper)


def unfinished(tree: MapNode, reform: MapNode) -> list[Problem]:
    """What a reform changes although it is not there, and does not make new either.

    Something new says what it needs; an activity or a trip has a label, and hours, a profile or an
    attribute are of use to something else in the reform.
    """
    return list(_unfinished(tree, reform, (), (), Counter(_words(reform))))


def _words(node: Node) -> Iterator[str]:
    """Every key and every text."""
    if isinstance(node, MapNode):
        yield from node.entries
    elif isinstance(node, Scalar) and isinstance(node.value, str):
        yield node.value
    below = node.entries.values() if isinstance(node, MapNode) else ()
    for each in node.items if isinstance(node, ListNode) else below:
        yield from _words(each)


def _unfinished(
    node: Node | None,
    change: MapNode,
    path: tuple[str, ...],
    pattern: tuple[str, ...],
    words: Mapping[str, int],
) -> Iterator[Problem]:
    for key, below in change.entries.items():
        is_new = key not in _keys(node) and not is_null(below)
        if is_new and pattern in _USED and words[key] == 1:
            problem = _unknown_name(node, change, key, path)
            new = "; something new is named by what else the reform changes"
            yield replace(problem, message=problem.message + new)
        if not isinstance(below, MapNode):
            continue
        if not is_new or pattern not in _NEEDED:
            deeper = (*pattern, _ANY if pattern in _NAMED else key)
            yield from _unfinished(node and child(node, key), below, (*path, key), deeper, words)
        elif LIKE not in below.entries:
            missing = [needed for needed in _NEEDED[pattern] if needed not in below.entries]
            if missing:
                problem = _unknown_name(node, change, key, path)
                new = f"; something new says its {' and '.join(_NEEDED[pattern])}"
                yield replace(problem, message=problem.message + new)


def _unknown_name(node: Node | None, change: MapNode, key: str, path: KeyPath) -> Problem:
    known = _keys(node)
    hint = suggest(key, known)
    if not hint:
        names = ", ".join(map(shown, known[:_MOST_NAMES]))
        hint = f" Names: {names}" + (", ..." if len(known) > _MOST_NAMES else "") if known else ""
    message = f"nothing called '{shown(key)}' in {dotted(path)}{'.' if hint else ''}{hint}"
    return Problem(change.key_marks[key], dotted((*path, key)), message)


# Case types that are like others


def _similar_types(patch: MapNode) -> dict[str, MapNode]:
    types = child(patch, _TYPES)
    if not isinstance(types, MapNode):
        return {}
    return {
        name: node
        for name, node in types.entries.items()
        if isinstance(node, MapNode) and LIKE in node.entries
    }


def _model(node: MapNode) -> str:
    like = node.entries[LIKE]
    return str(like.value) if isinstance(like, Scalar) else ""


def _in_order(similar: Mapping[str, MapNode]) -> list[str]:
    """Each after the one that it is like."""
    order: list[str] = []
    for name, node in similar.items():
        row: list[str] = []
        while name in similar and name not in order:
            if name in row:
                circle = " like ".join([*row[row.index(name) :], name])
                path = dotted((_TYPES, name, LIKE))
                message = f"case types are like each other in a circle: {circle}"
                raise ScenarioError([Problem(node.entries[LIKE].mark, path, message)])
            row.append(name)
            name = _model(similar[name])
        order.extend(reversed(row))
    return order


def _nothing_like(name: str, node: MapNode, known: Sequence[str]) -> ScenarioError:
    model = _model(node)
    message = f"no case type '{shown(model)}'.{suggest(model, known)}"
    if known:
        message += f" Case types: {', '.join(map(shown, known))}"
    return ScenarioError([Problem(node.entries[LIKE].mark, dotted((_TYPES, name, LIKE)), message)])


# Activities that are left out


def _close_gaps(before: MapNode, after: MapNode) -> MapNode:
    """`after` with each `after` of an activity that is gone since `before` leading past it."""
    for name in _keys(find(before, ["case_types"])):
        path = ["case_types", name, "activities"]
        old, new = find(before, path), find(after, path)
        if isinstance(old, MapNode) and isinstance(new, MapNode):
            gone = {key: node for key, node in old.entries.items() if key not in new.entries}
            if gone:
                closed = {key: _close(node, gone) for key, node in new.entries.items()}
                after = _put(after, path, replace(new, entries=closed))
    return after


def _close(activity: Node, gone: Mapping[str, Node]) -> Node:
    waits_for = child(activity, "after")
    names = list(_names(waits_for))
    if waits_for is None or not any(name.value in gone for name in names):
        return activity
    kept: dict[object, Node] = {}
    for name in names:
        for other in _past(name, gone, frozenset()):
            kept.setdefault(other.value, other)
    assert isinstance(activity, MapNode)
    closed = ListNode(tuple(kept.values()), waits_for.mark, waits_for.source)
    return replace(activity, entries={**activity.entries, "after": closed})


def _past(name: Scalar, gone: Mapping[str, Node], seen: frozenset[object]) -> Iterator[Scalar]:
    """An activity, or if it is gone what it came after."""
    if not isinstance(name.value, str) or name.value not in gone:
        yield name
    elif name.value not in seen:  # a circle among those that are gone leads nowhere
        for before in _names(child(gone[name.value], "after")):
            yield from _past(before, gone, seen | {name.value})


def _names(node: Node | None) -> Iterator[Scalar]:
    """The names in a list, or the one that stands without brackets."""
    for item in node.items if isinstance(node, ListNode) else (node,):
        if isinstance(item, Scalar):
            yield item


def _keys(node: Node | None) -> Sequence[str]:
    return tuple(node.entries) if isinstance(node, MapNode) else ()


# Nodes


def _put(tree: MapNode, path: KeyPath, node: Node, key_mark: Mark | None = None) -> MapNode:
    """The tree with a node at a path; `key_mark` is where its key stands if it is new."""
    first, *rest = map(str, path)
    if rest:
        below = tree.entries[first]
        assert isinstance(below, MapNode)
        node = _put(below, rest, node, key_mark)
    marks = tree.key_marks
    if not rest and key_mark is not None:
        marks = {**marks, first: key_mark}
    return replace(tree, entries={**tree.entries, first: node}, key_marks=marks)
