"""A loaded scenario shown again: the complete file, and where each of its numbers is from.

What a file leaves out is filled in from the defaults of the models; what it says stays as it was
written (`52 %`, `12 min`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pydantic import BaseModel

from sim.documents import SOURCE_WORDS, to_yaml
from sim.errors import Mark
from sim.scenario import Scenario
from sim.tree import ListNode, MapNode, Node, Scalar, ScalarValue, child, dotted, numbers

DEFAULT: Final = Mark("default")
_NOWHERE: Final = Mark("")
LONG_LIST: Final = 50
"""Lists of more values are shown without saying where each is from."""


@dataclass(frozen=True)
class Provenance:
    """One number of a scenario, and what is said about where it is from."""

    path: str
    """Dotted path, such as `pools.windows.shifts.day.servers`."""
    value: ScalarValue
    """As it was written."""
    mark: Mark
    kind: str | None
    """stated, derived, calibrated or assumed; None if nothing is said."""
    source: str | None
    """The whole statement."""


def resolved_text(scenario: Scenario, tree: MapNode) -> str:
    """The complete scenario as YAML, with file, line and statement behind each value."""
    return to_yaml(_complete(scenario, tree), _remark)


def provenance_of(tree: MapNode) -> list[Provenance]:
    """Every number of a tree; those of one long list, such as a recording, count as one."""
    rows = []
    for path, leaf in numbers(_shortened(tree)):
        if path[-1] in ("label", "description") or "label" in path[-2:-1]:
            continue
        kind = next((word for word in SOURCE_WORDS if (leaf.source or "").startswith(word)), None)
        rows.append(Provenance(dotted(path), leaf.value, leaf.mark, kind, leaf.source))
    return rows


def _complete(value: object, node: Node | None) -> Node:
    """The tree of a value: what was written where it was written, and the defaults."""
    if isinstance(node, MapNode):
        entries = dict(_fields(value))
        # In the order of the file, then what it leaves out.
        order = [*(key for key in node.entries if key in entries), *entries]
        completed = {key: _complete(entries[key], child(node, key)) for key in dict.fromkeys(order)}
        return _map(completed, node.mark, node.source)
    if isinstance(node, ListNode):
        if not isinstance(value, tuple) or len(value) != len(node.items):
            return node  # a short form of what the value says
        if len(node.items) > LONG_LIST and all(isinstance(item, Scalar) for item in node.items):
            items: list[Node] = [
                Scalar(v.value, _NOWHERE) for v in node.items if isinstance(v, Scalar)
            ]
            return replace(node, items=tuple(items))
        pairs = zip(value, node.items, strict=True)
        items = [_complete(v, item) if isinstance(item, MapNode) else item for v, item in pairs]
        return replace(node, items=tuple(items))
    return node if node is not None else _default(value)


def _fields(value: object) -> list[tuple[str, object]]:
    """Key and value of everything that a model or a map says."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        pairs = [(field.alias or name, getattr(value, name)) for name, field in fields]
        return [(key, below) for key, below in pairs if below is not None]
    assert isinstance(value, Mapping)
    return [(str(key), below) for key, below in value.items()]


def _default(value: object) -> Node:
    if isinstance(value, BaseModel | Mapping):
        return _map({key: _default(below) for key, below in _fields(value)}, DEFAULT, None)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ListNode(tuple(_default(below) for below in value), DEFAULT)
    assert value is None or isinstance(value, str | int | float)
    return Scalar(value, DEFAULT)


def _map(entries: Mapping[str, Node], mark: Mark, source: str | None) -> MapNode:
    return MapNode(entries, {key: below.mark for key, below in entries.items()}, mark, source)


def _remark(node: Node) -> str:
    place = f"{node.mark.file}:{node.mark.line}" if node.mark.line else node.mark.file
    return f"{place} {node.source}" if node.source else place


def _shortened(node: Node) -> Node:
    """The tree with one number in the place of every long list."""
    if isinstance(node, ListNode):
        if len(node.items) > LONG_LIST:
            return Scalar(f"{len(node.items)} values", node.mark, node.source)
        return replace(node, items=tuple(_shortened(item) for item in node.items))
    if isinstance(node, MapNode):
        return replace(node, entries={k: _shortened(below) for k, below in node.entries.items()})
    return node
