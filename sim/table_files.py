"""Tables as files: Parquet for programs, CSV that spreadsheets open; the same bytes every time.

CSV is UTF-8 with a byte order mark, so that spreadsheets show Chinese; text that a spreadsheet
would take for a formula gets a quote mark in front. Arrow writes both: pandas takes twenty times as
long for CSV.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pandas as pd

ROWS: Final = 50_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
"""How text begins that is guarded: a quote mark too, so that taking one away gives it back."""


def files_of(tables: Mapping[str, pd.DataFrame]) -> Iterator[tuple[str, bytes]]:
    """File name and content of each table in both forms, one at a time."""
    for name, table in tables.items():
        yield f"{name}.csv", csv(table)
        yield f"{name}.parquet", parquet(table)


def parquet(table: pd.DataFrame) -> bytes:
    """The table in Apache Parquet, each page with its checksum."""
    import pyarrow
    from pyarrow.parquet import write_table

    file = io.BytesIO()
    arrow = pyarrow.Table.from_pandas(table, preserve_index=False)
    write_table(arrow, file, compression="zstd", write_page_checksum=True)
    return file.getvalue()


def csv(table: pd.DataFrame) -> bytes:
    """The table in CSV; what is no number is empty."""
    import pyarrow
    from pyarrow.csv import WriteOptions, write_csv

    texts = {
        name: {text: _guarded(str(text)) for text in table[name].unique()}
        for name in table.columns
        if table[name].dtype.kind not in "iufb"
    }
    # Arrow quotes all text or none.
    found = "".join(text for column in texts.values() for text in column.values())
    quoting = "none" if not set(found).intersection('",\r\n') else "needed"
    options = WriteOptions(include_header=False, quoting_style=quoting)
    file = io.BytesIO()
    file.write(b"\xef\xbb\xbf" + ",".join(table.columns).encode() + b"\n")
    # Some rows at a time: text takes much more room than the table.
    for first in range(0, len(table), ROWS):
        some = table.iloc[first : first + ROWS]
        some = some.assign(**{name: some[name].map(texts[name]).astype(object) for name in texts})
        write_csv(pyarrow.Table.from_pandas(some, preserve_index=False), file, options)
    return file.getvalue()


def _guarded(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
