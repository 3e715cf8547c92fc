"""The commands of studies: questions that take more than one experiment to answer."""

from __future__ import annotations

import typer

studies = typer.Typer()
