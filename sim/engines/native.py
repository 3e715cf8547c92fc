"""Machine code of compiled loops, kept between sessions.

A `Kernel` is a function that numba compiles once on a machine. Its code is kept in the user's cache
folder, named by everything that it depends on, and loaded by llvmlite alone: importing numba takes
longer than a year of a hall. A kernel allocates nothing and raises nothing. Its arguments are named
tuples of arrays and whole numbers; inside, an array is a pointer to its first entry.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib
import importlib.util
import os
import platform
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from sim.errors import HallError
from sim.memory import keep_freed_memory

Tables: TypeAlias = tuple[Any, ...]
"""A named tuple of arrays and whole numbers."""
Entry: TypeAlias = Callable[..., int]

_COMPILERS: Final = ("numba", "llvmlite", "numpy")
_ENTRY: Final = ctypes.CFUNCTYPE(
    ctypes.c_int32,
    ctypes.POINTER(ctypes.c_int64),
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.c_void_p,
)
"""Of a function that numba has compiled: result, exception, argument; gives a status."""


class NoMachineCodeError(HallError):
    """There is no machine code, and none can be made."""


class Fixed:
    """A named tuple whose numbers and places of arrays are looked up once for many calls."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.words = [
            value if isinstance(value, int) else value.__array_interface__["data"][0]
            for value in tables
        ]
        # The types of its entries: that of an array's entries, or `_` for a number.
        types = ["_" if isinstance(value, int) else value.dtype.char for value in tables]
        self.signature = type(tables).__name__ + "".join(types)


@dataclass(eq=False)
class Kernel:
    """A function of some module, compiled when it is first called.

    uses  modules that its code comes from, besides the module itself.
    """

    module: str
    function: str
    uses: Sequence[str] = ()
    _entries: dict[str, Entry] = field(default_factory=dict, repr=False)

    def __call__(self, *arguments: Tables | Fixed) -> int:
        """What the function gives for these arguments.

        Raises NoMachineCodeError if there is no machine code for them and none can be made.
        """
        fixed = [a if isinstance(a, Fixed) else Fixed(a) for a in arguments]
        signature = " ".join(argument.signature for argument in fixed)
        if signature not in self._entries:
            with _lock:
                if signature not in self._entries:
                    self._entries[signature] = self._entry(signature, [a.tables for a in fixed])
        table = np.array([word for argument in fixed for word in argument.words], np.int64)
        result, problem = ctypes.c_int64(), ctypes.c_void_p()
        status = self._entries[signature](
            ctypes.byref(result), ctypes.byref(problem), table.ctypes.data
        )
        if status:
            raise AssertionError(f"{self.function}: status {status}")
        return result.value

    @property
    def is_ready(self) -> bool:
        """Whether it has been compiled before: if not, the first call takes many seconds."""
        kept = (path for folder in _folders() for path in folder.glob(f"{self._name}-*"))
        return bool(self._entries) or any(
            path.match(f"{self._name}-{_processor()}-*") and _is_whole(path) for path in kept
        )

    @functools.cached_property
    def _name(self) -> str:
        """Of its files, but for the processor and the arguments."""
        sources = [_source(name) for name in (__name__, self.module, *self.uses)]
        return f"{self.function}-{_short_digest(_versions() + b''.join(sources))}"

    def _entry(self, signature: str, arguments: Sequence[Tables]) -> Entry:
        keep_freed_memory()
        try:
            import llvmlite.binding as llvm
        except ImportError as error:
            raise NoMachineCodeError("numba is not installed") from error
        name = f"{self._name}-{_processor()}-{_short_digest(signature.encode())}"
        for folder in _folders():
            with suppress(OSError, ValueError):
                return _load(llvm, _read(folder / name))
        code = self._compile(llvm, arguments)
        for folder in _folders():
            with suppress(OSError):
                _write(folder / name, code)
                break
        return _load(llvm, code)

    def _compile(self, llvm: Any, arguments: Sequence[Tables]) -> bytes:
        """Machine code, with the name of the function in its first line."""
        try:
            from sim.engines.compiling import machine_code

            function = getattr(importlib.import_module(self.module), self.function)
            return machine_code(llvm, function, arguments)
        except ImportError as error:
            raise NoMachineCodeError("numba is not installed") from error
        except Exception as error:
            reason = str(error).strip().partition("\n")[0]
            raise NoMachineCodeError(f"numba cannot compile it ({reason})") from error


def _short_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@functools.cache
def _processor() -> str:
    """A digest of this processor's name and features; empty without llvmlite."""
    with suppress(ImportError):
        import llvmlite.binding as llvm

        about: str = llvm.get_host_cpu_name() + llvm.get_host_cpu_features().flatten()
        return _short_digest(about.encode())
    return ""


@functools.cache
def _versions() -> bytes:
    parts = [platform.machine(), platform.python_version()]
    for package in _COMPILERS:
        with suppress(PackageNotFoundError):
            parts.append(f"{package} {version(package)}")
    return "\n".join(parts).encode()


def _source(module: str) -> bytes:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    # The loader, not the file system: a module may be compiled already, or in an archive.
    source: bytes = spec.loader.get_data(spec.origin)  # type: ignore[union-attr]
    return source


# --- files ---------------------------------------------------------------------------------------


def _folders() -> Iterator[Path]:
    """Where machine code is kept: with the user, else among temporary files; only our own."""
    places = [Path(tempfile.gettempdir())]
    with suppress(ImportError, RuntimeError, KeyError):  # not installed; a user without a home
        import platformdirs

        if (place := Path(platformdirs.user_cache_dir())).is_absolute():
            places.insert(0, place)
    owner = os.getuid() if hasattr(os, "getuid") else 0
    for place in places:
        folder = place / (f"service-hall-{owner}" if place == places[-1] else "service-hall")
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = folder.stat()
            # Nobody else may put code there, or let it lead somewhere else.
            if folder.is_symlink():
                continue
            if os.name != "posix" or (about.st_uid == owner and not about.st_mode & 0o022):
                yield folder


def _read(path: Path) -> bytes:
    """What was written; raises ValueError if it is damaged, OSError if it is not there."""
    content = path.read_bytes()
    code = content[32:]
    if hashlib.sha256(code).digest() != content[:32]:
        raise ValueError(f"{path}: damaged")
    return code


def _write(path: Path, code: bytes) -> None:
    """All of it or nothing, after its checksum."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(hashlib.sha256(code).digest() + code)
            file.flush()
            os.replace(file.name, path)
        except OSError:
            os.unlink(file.name)
            raise


def _is_whole(path: Path) -> bool:
    try:
        return bool(_read(path))
    except (OSError, ValueError):
        return False


# --- machine code --------------------------------------------------------------------------------


def _load(llvm: Any, code: bytes) -> Entry:
    """The function of some machine code, which stays for the life of the process."""
    name, _, machine_code = code.partition(b"\n")
    with suppress(RuntimeError):  # numba, or a newer llvmlite, has done so
        llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    # One for each: functions that were compiled in different processes may have the same name.
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(machine_code))
    engine.finalize_object()
    address = engine.get_function_address(name.decode())
    if not address:
        raise ValueError("the function is not there")
    _loaded.append(engine)
    return _ENTRY(address)


_loaded: Final[list[Any]] = []
_lock = threading.RLock()


def _renew_lock() -> None:
    """In a copy of this process, nobody is there to release it."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)
