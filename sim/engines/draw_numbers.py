"""The random numbers of the compiled draw: Philox 4x64, as numpy counts and keys it.

Numbers come one by one, out of those that each stream has at hand: a stream can be entered
anywhere. Sixteen blocks of four are made at once, which takes as long as to make six of them one
by one: so it pays where a stream is asked for a tenth of its numbers.
"""

from __future__ import annotations

from typing import no_type_check

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sim.engines.compiling import compiled, inlined
from sim.engines.draw_tables import AT_HAND, BITS_AT_ONCE, KEY, NUMBERS, NUMBERS_AT_ONCE

MULTIPLY_0, MULTIPLY_1 = 0xD2E7470EE14C6C93, 0xCA5A826395121157
ADD_0, ADD_1 = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
ROUNDS = 10
LANES = NUMBERS_AT_ONCE // 4


@inlined
def number(streams, stream, n):  # type: ignore[no-untyped-def]
    """The n-th number of a stream."""
    if streams[stream + AT_HAND] != n >> BITS_AT_ONCE:
        make_numbers(streams, stream, n >> BITS_AT_ONCE)
    return streams[stream + NUMBERS + (n & (NUMBERS_AT_ONCE - 1))]


@compiled
def make_numbers(streams, stream, which):  # type: ignore[no-untyped-def]
    """Have the numbers from which * NUMBERS_AT_ONCE at hand."""
    streams[stream + AT_HAND] = which
    # numpy counts on before it makes a block.
    _write_blocks(streams, stream, which * LANES + 1)


@intrinsic
@no_type_check  # numba's own parts have no types
def _write_blocks(context, streams, stream, counter):
    """Write down the numbers of so many blocks as there are lanes, from this counter on.

    Written out since numba does not find that all of them can be made at once: for that, products
    of 128 bits have to be put together from halves.
    """
    word, lanes = ir.IntType(64), ir.VectorType(ir.IntType(64), LANES)

    def all_lanes(value):
        return ir.Constant(lanes, [value] * LANES)

    half, lower = all_lanes(32), all_lanes(2**32 - 1)

    def generate(context, builder, signature, arguments):
        streams, stream, counter = arguments

        def spread(value):
            result = ir.Constant(lanes, ir.Undefined)
            for lane in range(LANES):
                result = builder.insert_element(result, value, ir.Constant(ir.IntType(32), lane))
            return result

        def address(offset):
            return builder.gep(streams, [builder.add(stream, ir.Constant(word, offset))])

        def product(factor, x):
            """The upper and the lower 64 bits."""
            low, high = all_lanes(factor & (2**32 - 1)), all_lanes(factor >> 32)
            x_low, x_high = builder.and_(x, lower), builder.lshr(x, half)
            first = builder.lshr(builder.mul(x_low, low), half)
            second = builder.add(builder.mul(x_high, low), first)
            third = builder.add(builder.mul(x_low, high), builder.and_(second, lower))
            upper = builder.add(builder.mul(x_high, high), builder.lshr(second, half))
            return builder.add(upper, builder.lshr(third, half)), builder.mul(x, all_lanes(factor))

        key_0, key_1 = (spread(builder.load(address(KEY + i))) for i in range(2))
        a = builder.add(spread(counter), ir.Constant(lanes, list(range(LANES))))
        b = c = d = all_lanes(0)
        for _ in range(ROUNDS):
            high_a, low_a = product(MULTIPLY_0, a)
            high_c, low_c = product(MULTIPLY_1, c)
            a, b = builder.xor(builder.xor(high_c, b), key_0), low_c
            c, d = builder.xor(builder.xor(high_a, d), key_1), low_a
            key_0 = builder.add(key_0, all_lanes(ADD_0))
            key_1 = builder.add(key_1, all_lanes(ADD_1))

        def joined(x, y, order):
            """Of both, one after the other, those in this order."""
            which = ir.Constant(ir.VectorType(ir.IntType(32), len(order)), list(order))
            return builder.shuffle_vector(x, y, which)

        a, b, c, d = (builder.lshr(numbers, all_lanes(64 - 53)) for numbers in (a, b, c, d))
        both = range(2 * LANES)
        by_block = [lane + i * LANES for lane in range(LANES) for i in range(4)]
        numbers = joined(joined(a, b, both), joined(c, d, both), by_block)
        place = builder.bitcast(address(NUMBERS), numbers.type.as_pointer())
        builder.store(numbers, place, align=8)
        return context.get_dummy_value()

    return types.void(streams, stream, counter), generate
