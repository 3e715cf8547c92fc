"""The floor in C, `event_heap.c`, compiled into a temporary folder when this is imported.

Raises ImportError where there is no C compiler.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any


def hall(num_cases: int, seed: int) -> tuple[int, float]:
    """Cases, and their mean time in minutes."""
    return num_cases, _library.simulate_hall(num_cases, seed)


def mm2(num_cases: int, seed: int) -> tuple[int, float]:
    """Cases, and their mean wait in services."""
    return num_cases, _library.simulate_mm2(num_cases, seed)


def _compiled() -> Any:
    if not shutil.which("cc"):
        raise ImportError("no C compiler named cc")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "event_heap.so"
        flags = ["-O3", "-march=native", "-shared", "-fPIC"]
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", *flags, str(source), "-o", str(path), "-lm"], check=True)
        library = ctypes.CDLL(str(path))
    for function in (library.simulate_hall, library.simulate_mm2):
        function.argtypes, function.restype = [ctypes.c_int64, ctypes.c_uint64], ctypes.c_double
    return library


_library = _compiled()
