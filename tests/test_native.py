"""Machine code is made once, kept, loaded without numba, and never trusted blindly."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_kernel import Numbers, Sum

from sim.engines import compiled_draw, compiled_engine, compiled_tally, native
from sim.engines.native import Kernel, NoMachineCodeError

TESTS = Path(__file__).parent


def tiny_kernel() -> Kernel:
    return Kernel("tiny_kernel", "total")


def total(kernel: Kernel, values: list[int], factor: int = 2, kind: type = np.int64) -> int:
    result = Sum(np.zeros(1, np.int64))
    array = np.array(values, kind)
    assert kernel(Numbers(array, len(array), factor), result) == len(values)
    return int(result.result[0])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of the test's own; gives the folder in which machine code is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "service-hall"


def output_of(program: str, **environment: str) -> list[str]:
    """The words that a new process prints."""
    found = subprocess.run(
        [sys.executable, "-c", program],
        cwd=TESTS,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.split()


def test_a_kernel_computes(home: Path) -> None:
    kernel = tiny_kernel()
    assert total(kernel, [1, 2, 3]) == 12
    assert total(kernel, [5], factor=-1) == -5
    assert total(kernel, []) == 0


def test_each_type_of_array_has_code_of_its_own(home: Path) -> None:
    kernel = tiny_kernel()
    assert total(kernel, [1, 2]) == total(kernel, [1, 2], kind=np.int32) == 6
    assert len(list(home.iterdir())) == 2


def test_the_next_session_loads_it_without_numba(home: Path) -> None:
    assert not tiny_kernel().is_ready
    total(tiny_kernel(), [1])
    assert tiny_kernel().is_ready
    before = {path: path.read_bytes() for path in home.iterdir()}
    # The program imports numba with the kernel's module only where it has to be compiled.
    program = (
        "import sys, numpy as np; from typing import NamedTuple\n"
        "class Numbers(NamedTuple):\n    values: object; length: int; factor: int\n"
        "class Sum(NamedTuple):\n    result: object\n"
        "from sim.engines.native import Kernel\n"
        "result = np.zeros(1, np.int64)\n"
        "Kernel('tiny_kernel', 'total')(Numbers(np.arange(4), 4, 10), Sum(result))\n"
        "print(result[0], 'numba' in sys.modules)"
    )
    assert output_of(program) == ["60", "False"]
    assert {path: path.read_bytes() for path in home.iterdir()} == before


def test_changed_sources_are_compiled_anew(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    total(tiny_kernel(), [1])
    [kept] = home.iterdir()
    monkeypatch.setattr(native, "_source", lambda module: module.encode() + b"changed")
    assert not tiny_kernel().is_ready
    assert total(tiny_kernel(), [1, 1]) == 4
    assert len(list(home.iterdir())) == 2
    assert kept.exists()


def test_damaged_code_is_made_anew(home: Path) -> None:
    total(tiny_kernel(), [1])
    [kept] = home.iterdir()
    whole = kept.read_bytes()
    for damaged in (b"", whole[:1000], whole[:-1] + bytes([whole[-1] ^ 1])):
        kept.write_bytes(damaged)
        assert total(tiny_kernel(), [1, 2]) == 6
        assert len(native._read(kept)) > 1000


def test_what_is_damaged_or_another_processors_is_not_ready(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total(tiny_kernel(), [1])
    [kept] = home.iterdir()
    monkeypatch.setattr(native, "_processor", lambda: "another")
    assert not tiny_kernel().is_ready
    monkeypatch.undo()
    kept.write_bytes(kept.read_bytes()[:100])
    assert not tiny_kernel().is_ready


def test_threads_may_load_it_at_once(home: Path) -> None:
    total(tiny_kernel(), [1])
    program = (
        "import threading; from test_native import tiny_kernel, total\n"
        "import tiny_kernel as _\n"
        "kernels = [tiny_kernel() for _ in range(4)]; ready = threading.Barrier(16); found = []\n"
        "def work(i):\n"
        "    ready.wait(); found.append(total(kernels[i % 4], [i, 1]) == 2 * i + 2)\n"
        "threads = [threading.Thread(target=work, args=(i,)) for i in range(16)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]; print(sum(found))"
    )
    for _ in range(3):
        assert output_of(program) == ["16"]


def test_a_user_without_a_home_folder_uses_the_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import platformdirs

    def none(*arguments: Any) -> str:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(platformdirs, "user_cache_dir", none)
    [folder] = native._folders()
    assert folder.parent == tmp_path
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_: "~/.cache")
    assert list(native._folders()) == [folder]


def test_a_link_to_somewhere_else_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "other").mkdir(mode=0o700)
    (tmp_path / "service-hall").symlink_to(tmp_path / "other")
    assert tmp_path / "service-hall" not in list(native._folders())


def test_a_missing_home_and_a_read_only_one_are_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = "from test_native import *; print(total(tiny_kernel(), [1, 2, 3]))"
    for cache in (str(file / "below"), "/proc/none"):
        environment = {"XDG_CACHE_HOME": cache, "HOME": "/nonexistent", "TMPDIR": str(temporary)}
        assert output_of(program, **environment) == ["12"]
    [folder] = temporary.iterdir()
    assert [path.name.partition("-")[0] for path in folder.iterdir()] == ["total"]
    assert folder.stat().st_mode & 0o077 == 0


def test_without_any_place_it_is_compiled_each_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    environment = {"XDG_CACHE_HOME": str(file), "HOME": "/nonexistent"}
    program = "import tempfile; tempfile.tempdir = '/proc'; from test_native import *; "
    program += "print(total(tiny_kernel(), [1, 2, 3]))"
    assert output_of(program, **environment) == ["12"]


def test_code_that_others_could_have_put_there_is_not_loaded(home: Path) -> None:
    total(tiny_kernel(), [1])
    assert tiny_kernel().is_ready
    home.chmod(0o777)
    assert home not in list(native._folders())


def test_without_numba_it_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llvmlite.binding", None)
    with pytest.raises(NoMachineCodeError, match="numba is not installed"):
        total(tiny_kernel(), [1])


def test_what_numba_cannot_compile_is_told_in_one_line(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sim.engines import compiling

    def fails(*arguments: Any) -> bytes:
        raise ValueError("no such type\nand a long story")

    monkeypatch.setattr(compiling, "machine_code", fails)
    with pytest.raises(NoMachineCodeError, match=r"^numba cannot compile it \(no such type\)$"):
        total(tiny_kernel(), [1])


def test_every_module_that_a_kernel_is_made_of_is_in_its_digest() -> None:
    """Otherwise a change there would go unnoticed."""
    from test_layering import imported, modules

    for kernel in (compiled_engine._run, *compiled_draw._KERNELS, compiled_tally._add_up):
        named = {name.removeprefix("sim.").replace(".", "/") for name in kernel.uses}
        named.add(kernel.module.removeprefix("sim.").replace(".", "/"))
        reached, todo = set(), [kernel.module.removeprefix("sim.").replace(".", "/")]
        while todo:
            module = todo.pop()
            if module not in reached and (module.startswith("engines/") or module in named):
                reached.add(module)
                todo += imported(modules()[module])
        assert reached - {"engines/limits", "engines/native"} <= named, kernel.function
