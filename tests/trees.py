"""What the tests of trees and of documents share."""

from hypothesis import settings

from sim.errors import Mark

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
