"""Tables as files: Parquet for programs, CSV that spreadsheets open; the same bytes every time.

CSV is UTF-8 with a byte order mark, so that spreadsheets show Chinese; text that a spreadsheet
would take for a formula gets a quote mark in front. Arrow writes both: pandas takes twenty times as
long for CSV.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")
"""How text begins that is guarded: a quote mark too, so that taking one away gives it back."""


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

    arrow = pyarrow.Table.from_pandas(table, preserve_index=False)
    texts: list[str] = []
    for place, name in enumerate(arrow.column_names):
        if table[name].dtype.kind not in "iufb":
            column, found = _guarded(arrow.column(place))
            arrow = arrow.set_column(place, name, column)
            texts += found
    # Arrow quotes all text or none.
    is_plain = not any(mark in text for text in texts for mark in '",\r\n')
    file = io.BytesIO()
    file.write(b"\xef\xbb\xbf" + ",".join(arrow.column_names).encode() + b"\n")
    quoting = "none" if is_plain else "needed"
    write_csv(arrow, file, WriteOptions(include_header=False, quoting_style=quoting))
    return file.getvalue()


def _guarded(column: Any) -> tuple[Any, list[str]]:
    """A column of text, guarded, and what there is in it."""
    import pyarrow

    encoded = column.cast(pyarrow.string()).combine_chunks().dictionary_encode()
    texts = [f"'{t}" if t.startswith(_FORMULA) else t for t in encoded.dictionary.to_pylist()]
    decoded = pyarrow.DictionaryArray.from_arrays(encoded.indices, pyarrow.array(texts, "string"))
    return decoded.cast(pyarrow.string()), texts
