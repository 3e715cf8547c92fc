"""Compiling with numba; imported only when something has to be compiled.

What a kernel is made of is marked `compiled` or `inlined`. Each type of argument compiles a
function once more, so numbers are int64, and arrays are pointers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, no_type_check

import numpy as np
from llvmlite import ir
from numba import carray, from_dtype, njit, types  # type: ignore[attr-defined]
from numba.core import cgutils
from numba.extending import intrinsic

Compiled = Callable[..., Any]
_OPTIONS: Final[Any] = {
    "nogil": True,
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "error_model": "numpy",  # not to ask whether it divides by 0
}


def compiled(function: Compiled) -> Compiled:
    """As `njit`, for functions that only compiled ones call."""
    result: Compiled = njit(**_OPTIONS)(function)
    return result


def inlined(function: Compiled) -> Compiled:
    """As `compiled`, for what happens all the time: a call costs as much as what it does."""
    result: Compiled = njit(forceinline=True, **_OPTIONS)(function)
    return result


def closely(function: Compiled) -> Compiled:
    """As `inlined`, for arithmetic that may round once where it would twice."""
    result: Compiled = njit(forceinline=True, fastmath={"contract"}, **_OPTIONS)(function)
    return result


@compiled
def part(pointer, begin, end):  # type: ignore[no-untyped-def]
    """Entries begin .. end - 1 as an array."""
    return carray(pointer, end)[begin:end]


@intrinsic
@no_type_check  # numba's own parts have no types
def first_after(context, numbers, length, number):
    """The smallest of so many int64 that is larger than a number; 2**63 - 1 if none is.

    numbers  a pointer; length: a multiple of 8.

    Written out since numba does not find that eight can be looked at at once.
    """
    eight = ir.VectorType(ir.IntType(64), 8)
    last = ir.Constant(eight, [2**63 - 1] * 8)

    def generate(context, builder, signature, values):
        numbers, length, number = values
        smallest = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.IntType(64), (eight,)),
            "llvm.vector.reduce.smin.v8i64",
        )
        limits = ir.Constant(eight, ir.Undefined)
        for lane in range(8):
            limits = builder.insert_element(limits, number, ir.Constant(ir.IntType(32), lane))
        best = cgutils.alloca_once_value(builder, last)
        step = ir.Constant(length.type, 8)
        zero = ir.Constant(length.type, 0)
        with cgutils.for_range_slice(builder, zero, length, step) as (index, _):
            address = builder.bitcast(builder.gep(numbers, [index]), eight.as_pointer())
            found = builder.load(address, align=8)
            so_far = builder.load(best)
            is_better = builder.and_(
                builder.icmp_signed(">", found, limits), builder.icmp_signed("<", found, so_far)
            )
            builder.store(builder.select(is_better, found, so_far), best)
        return builder.call(smallest, [builder.load(best)])

    return types.int64(numbers, length, number), generate


def machine_code(llvm: Any, function: Compiled, arguments: Sequence[tuple[Any, ...]]) -> bytes:
    """The machine code of a function, with its name in the first line.

    arguments  examples: named tuples of arrays and whole numbers.
    """
    unpack = _unpack(arguments)

    @compiled
    def entry(table):  # type: ignore[no-untyped-def]
        return function(*unpack(table))

    dispatcher: Any = entry
    dispatcher.compile((types.CPointer(types.int64),))  # type: ignore[no-untyped-call]
    [overload] = dispatcher.overloads.values()
    name: str = overload.fndesc.llvm_func_name
    module = llvm.parse_assembly(overload.library.get_llvm_str())
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="default",
        codemodel="jitdefault",
        jit=True,
    )
    code: bytes = machine.emit_object(module)
    return name.encode() + b"\n" + code


@no_type_check  # numba's own parts have no types
def _unpack(arguments: Sequence[tuple[Any, ...]]) -> Any:
    """A function that makes the named tuples of pointers and numbers of a table of int64."""
    tuples = [
        types.NamedTuple(
            [
                types.CPointer(from_dtype(value.dtype))
                if isinstance(value, np.ndarray)
                else types.int64
                for value in argument
            ],
            type(argument),
        )
        for argument in arguments
    ]

    @intrinsic
    def unpack(context, table):
        def generate(context, builder, signature, values):
            position, made = 0, []
            for named in tuples:
                fields = []
                for kind in named.types:
                    word = builder.load(
                        cgutils.gep(builder, values[0], position) if position else values[0]
                    )
                    if isinstance(kind, types.CPointer):
                        word = builder.inttoptr(word, context.get_value_type(kind))
                    fields.append(word)
                    position += 1
                made.append(context.make_tuple(builder, named, fields))
            return context.make_tuple(builder, signature.return_type, made)

        return types.Tuple(tuples)(table), generate

    return unpack
