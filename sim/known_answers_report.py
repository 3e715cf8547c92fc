"""What `hall validate` shows: theory, estimate and verdict of every known answer."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from sim.known_answers import CHANCE, PRECISION, Finding
from sim.metric_definitions import SHARE
from sim.numbers import replications_text
from sim.report_parts import plain_table


def known_answers_report(findings: Sequence[Finding], seed: int) -> RenderableType:
    """A table, a row for each answer, and how its verdicts are formed."""
    runs = f"{replications_text(findings[0].estimate.num_replications)} of each, seed {seed}"
    confidence = findings[0].simultaneous.confidence
    columns = ("hall", "what", "^theory", "^estimate", "95 % interval", "unit", "verdict")
    table = plain_table(*columns)
    last = ""
    for finding in findings:
        answer, found = finding.answer, finding.estimate
        scale, decimals = (100, 2) if answer.unit == SHARE else (1, 3)
        theory, mean, low, high = (
            f"{scale * value:.{decimals}f}"
            for value in (answer.theory, found.mean, found.low, found.high)
        )
        hall = "" if finding.hall == last else finding.hall
        interval = f"[{low}, {high}]"
        table.add_row(hall, answer.what, theory, mean, interval, answer.unit, verdict(finding))
        last = finding.hall
    missed = sum(not finding.is_right for finding in findings)
    return Group(
        Text.assemble(("Halls with known answers", "bold"), f" (SimPy engine, {runs})"),
        table,
        Text(f"{len(findings) - missed} of {len(findings)} right"),
        Text(
            f"right: the theory lies in the interval of {100 * confidence:.2f} % (Bonferroni: with "
            f"other seeds all {len(findings)} do so\nin {100 * (1 - CHANCE):g} % of runs), "
            f"and half the 95 % interval is at most {100 * PRECISION:g} % of the theory"
        ),
    )


def verdict(finding: Finding) -> str:
    """`right`, or what is wrong, in per cent of the theory."""
    if finding.is_right:
        return "right"
    theory, found = finding.answer.theory, finding.estimate
    if not finding.is_narrow:
        return f"too wide: +-{100 * found.half_width / theory:.1f} %"
    return f"off by {100 * (found.mean / theory - 1):+.1f} %"
