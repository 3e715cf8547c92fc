"""What the tests of trees and of documents share."""

import re
from typing import Any

import pytest
from hypothesis import settings

from sim.documents import from_plain
from sim.errors import Mark, ScenarioError
from sim.tree import MapNode

HALL = """\
source: stated, yearbook 2015
pools:
  窗口: {servers: 4, 名称: "综合"}
  reviewers:
    source: assumed, no record
    servers: 2
    shifts: [08:30-12:00, 13:30-17:00]
service:
  mean: 12 min
"""

anywhere = Mark("here")
fixed = settings(derandomize=True, deadline=None, max_examples=150)


def says(message: str):
    """Expects a ScenarioError with exactly these lines."""
    return pytest.raises(ScenarioError, match=rf"\A{re.escape(message)}\Z")


def data(**entries: Any) -> MapNode:
    node = from_plain(entries, anywhere, None)
    assert isinstance(node, MapNode)
    return node
