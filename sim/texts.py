"""Text from files, made fit for one line of a terminal, a figure or a file."""

from __future__ import annotations

import unicodedata


def one_line(text: object) -> str:
    """Any text as one line that cannot upset a terminal: nothing but letters, marks and spaces."""
    line = " ".join(str(text).split())
    return "".join("\ufffd" if unicodedata.category(c)[0] == "C" else c for c in line)
