"""The JSON Schema for editors says what the loader says, apart from what is missing."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sim.documents import read_document
from sim.loading import json_schema
from sim.schema import schema_text
from sim.tree import plain

FOLDER = Path(__file__).parents[1]
CASES = FOLDER / "tests" / "cases"
SCENARIOS = FOLDER / "scenarios"


@functools.cache
def validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(json_schema())


def faults(data: Any) -> list[str]:
    return [error.message for error in validator().iter_errors(data)]


def read(path: Path) -> Any:
    return plain(read_document(path, path.parent))


def test_the_schema_beside_the_scenarios_is_the_one_of_the_models():
    text = (SCENARIOS / "schema.json").read_text(encoding="utf-8")
    assert text == schema_text(json_schema()), "write it anew: hall schema > scenarios/schema.json"


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json_schema())


SHIPPED = [path for path in SCENARIOS.rglob("*.yaml") if path.parent.name not in ("groups", "fits")]
FILES = [*(CASES / "valid").rglob("*.yaml"), *SHIPPED]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_right_files_fit(path):
    assert faults(read(path)) == []


def test_every_map_may_say_where_its_numbers_are_from():
    servers = {"servers": 3, "source": "stated: yearbook"}
    data = {
        "pools": {"desk": {"shifts": {"day": servers, "source": "assumed"}}},
        "source": "derived",
    }
    assert faults(data) == []
    assert faults({"source": "guessed"})


def test_no_piece_offers_null_twice():
    def offers(piece: Any) -> int:
        options = piece.get("anyOf", [])
        return (piece == {"type": "null"}) + sum(map(offers, options))

    def pieces(node: Any) -> Any:
        if isinstance(node, dict):
            yield node
        for below in node.values() if isinstance(node, dict) else node:
            if isinstance(below, dict | list):
                yield from pieces(below)

    assert max(offers(piece) for piece in pieces(json_schema())) == 1
    assert json_schema()["$schema"].endswith("/draft/2020-12/schema")


def test_names_may_be_chinese_for_editors_too():
    """Their regular expressions know no letters but a to z."""
    assert "\\\\W" not in json.dumps(json_schema())


def test_null_removes_and_nothing_is_required():
    assert faults({"case_types": {"company": {"activities": {"copy": None, "file": {}}}}}) == []
    assert faults({"extends": "base.yaml", "reforms": ["a.yaml"]}) == []
    assert faults({"reform": "faster", "changes": {"pools": None}}) == []


@pytest.mark.parametrize(
    "data",
    [
        {"calender": "china"},
        {"pools": {}, "changes": {}},
        {"reform": "faster", "changes": {"calendar": 3}},
        {"case_types": {"a": {"activities": {"b": {"delay": "12 m"}}}}},
        {"case_types": {"a": {"activities": {"b": {"service": {"gamma": {"mean": "12 m"}}}}}}},
        {"case_types": {"a": {"activities": {"b": {"service": {"uniform": {"low": "12 m"}}}}}}},
        {"case_types": {"a": {"activities": {"b": {"gate": {"dates": ["5.1.2015"]}}}}}},
        {"case_types": {"a": {"activities": {"b": {"again": {"probability": "a half"}}}}}},
        {"case_types": {"a": {"arrivals": {"every": "12 m"}}}},
        {"case_types": {"a": {"arrivals": {"at": "9 am"}}}},
        {"trips": {"a": {"comes": "half"}}},
        {"promises": {"a": {"within": "12 m"}}},
        {"horizon": {"from": "12 m"}},
        {"horizon": {"to": "12 m"}},
        {"hours": {"a": ["12 m"]}},
        {"pools": {"desk": {"shifts": {"day": {"servers": "2"}}}}},
        {"calendar": "chnia"},
        {"reform": "faster", "changes": {"pool": {}}},
        {"case_types": {"a": {"activities": {"b": {"service": "12 parsecs"}}}}},
        {"case_types": {"a": {"activities": {"b": {"gate": {"at": 1730}}}}}},
    ],
    ids=json.dumps,
)
def test_what_a_file_cannot_say_does_not_fit(data):
    assert faults(data)
