"""The JSON Schema of scenario files and reform files, from which editors complete and explain.

It says what the models say, and three things that the models do not know: what a file builds on,
that every map may say where its numbers are from, and that null removes what came before. Nothing
is required, since any piece may come from the file that another extends: the loader says what is
missing.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from sim.documents import SOURCE_KEY, SOURCE_WORDS
from sim.fields import Model
from sim.overlays import LIKE
from sim.phases import DATED

_STATEMENT: Final = {"type": "string", "pattern": rf"^({'|'.join(SOURCE_WORDS)})\b"}
_SOURCE: Final[dict[str, Any]] = {
    "anyOf": [_STATEMENT, {"type": "object", "additionalProperties": _STATEMENT}],
    "description": "Where the numbers of this map and below are from: "
    "stated, derived, calibrated or assumed, and by whom; or that of some of its keys.",
}
_ABOUT: Final[tuple[str, ...]] = ("description", "default")
ABOVE: Final[dict[str, Any]] = {
    "extends": {
        "type": "string",
        "description": "File that this one builds on, relative to this file.",
    },
    "reforms": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Files of changes, laid over what this file builds on by their dates.",
    },
}
"""The keys of a file that are no part of a scenario."""
_LIKE: Final[dict[str, Any]] = {
    "type": "string",
    "description": "Begins as a copy of this case type; what else is said here changes the copy.",
}


def with_file_keys(model: type[BaseModel], *, on_top: bool = True) -> dict[str, Any]:
    """The schema of a model with the keys that only files have, those on top if so wanted."""
    schema = model.model_json_schema(by_alias=True)
    if "CaseType" in schema["$defs"]:
        properties = schema["$defs"]["CaseType"]["properties"]
        schema["$defs"]["CaseType"]["properties"] = {**properties, LIKE: _LIKE}
        if on_top:
            schema["properties"] = {**ABOVE, **schema["properties"]}
    return schema


def _described(schema: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """A model's schema, with what stands below each field in the sources."""
    models = {about.__name__: about for about in _models(Model)}
    for name, piece in [(model.__name__, schema), *schema["$defs"].items()]:
        for base in reversed(models[name].__mro__ if name in models else ()):
            if issubclass(base, Model):
                _describe(base, piece["properties"])
    return schema


def _models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """A model and all that are made of it."""
    yield model
    for below in model.__subclasses__():
        yield from _models(below)


def _describe(model: type[BaseModel], properties: dict[str, Any]) -> None:
    """Add what stands below each field in the source.

    Not pydantic's `use_attribute_docstrings`, which reads the sources whenever they are imported.
    """
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(definition, ast.ClassDef)
    for before, statement in itertools.pairwise(definition.body):
        match before, statement:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ) if name in model.model_fields:
                key = model.model_fields[name].alias or name
                properties[key]["description"] = inspect.cleandoc(text)


def file_schema(scenario: type[BaseModel], reform: type[BaseModel]) -> dict[str, Any]:
    """The schema of a file that is either a scenario or a reform."""
    scenario_schema = _described(with_file_keys(scenario), scenario)
    reform_schema = _described(with_file_keys(reform), reform)
    definitions = {**reform_schema.pop("$defs", {}), **scenario_schema.pop("$defs")}
    reform_schema["properties"]["changes"] |= {"$ref": "#/$defs/Changes"}
    for key in ("type", "additionalProperties"):
        reform_schema["properties"]["changes"].pop(key, None)
    properties = scenario_schema["properties"].items()
    properties = {key: piece for key, piece in properties if key not in (*ABOVE, DATED)}
    changes = {**scenario_schema, "properties": properties}
    definitions |= {"Scenario": scenario_schema, "Changes": changes, "Reform": reform_schema}
    pieces = {name: _as_patch(piece) for name, piece in definitions.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A scenario of a service hall, or a reform",
        # Not anyOf, for which editors would tell of a scenario what keeps it from being a reform.
        "if": {"type": "object", "required": ["reform"]},
        "then": {"$ref": "#/$defs/Reform"},
        "else": {"$ref": "#/$defs/Scenario"},
        "$defs": dict(sorted({**pieces, "Source": _SOURCE}.items())),
    }


def schema_text(schema: Mapping[str, Any]) -> str:
    """The schema as it stands in its file."""
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def _as_patch(piece: Any) -> Any:
    """A piece of the schema in which maps have sources, null removes and nothing is required."""
    if isinstance(piece, list):
        return [_as_patch(item) for item in piece]
    if not isinstance(piece, dict):
        return piece
    changed = {key: _as_patch(below) for key, below in piece.items()}
    if isinstance(piece.get("title"), str):  # pydantic's: the name once more
        del changed["title"]
    # The loader knows what a name is; editors would not take Chinese letters for letters.
    if "\\W" in str(changed.get("pattern")):
        del changed["pattern"]
    if piece.get("type") != "object":
        return changed
    for key in ("required", "minProperties", "default", "propertyNames"):
        changed.pop(key, None)
    # A pattern of keys is that of names too.
    for below in changed.pop("patternProperties", {}).values():
        changed["additionalProperties"] = below
    properties = changed.get("properties", {})
    changed["properties"] = {key: _or_null(p) for key, p in properties.items()}
    changed["properties"][SOURCE_KEY] = {"$ref": "#/$defs/Source"}
    if isinstance(below := changed.get("additionalProperties"), dict):
        changed["additionalProperties"] = _or_null(below)
    return changed


def _or_null(piece: dict[str, Any]) -> dict[str, Any]:
    """What may stand there, or null."""
    about = {key: piece[key] for key in _ABOUT if key in piece}
    null = {"type": "null"}
    options = [option for option in _options(piece) if option != null]
    return {**about, "anyOf": [*options, null]}


def _options(piece: dict[str, Any]) -> list[dict[str, Any]]:
    """The alternatives of a piece, without alternatives in them."""
    rest = {key: below for key, below in piece.items() if key not in _ABOUT}
    if list(rest) != ["anyOf"]:
        return [rest]
    return [option for alternative in rest["anyOf"] for option in _options(alternative)]
