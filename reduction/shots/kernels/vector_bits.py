"""Bit operations on vectors of 512 bits: logic, shifts, one bit an element; see `reduction.shots.kernels.vectors`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types

from reduction.shots.kernels.vectors import everywhere, has, intrinsic, llvm_of, of_two


@intrinsic
def both(typing: Any, x: Any, y: Any) -> Any:
    """Bits that are set in both of two vectors."""
    return of_two("and_")(typing, x, y)


@intrinsic
def unlike(typing: Any, x: Any, y: Any) -> Any:
    """Bits that are set in one of two vectors and not in the other."""
    return of_two("xor")(typing, x, y)


def _of_three(table: int, otherwise: Callable[[ir.IRBuilder, Any, Any, Any], Any]) -> Any:
    """An intrinsic of one AVX-512 instruction where available: bit `4 x + 2 y + z` of its table is the result."""

    def typed(typing: Any, x: Any, y: Any, z: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if not has("avx512f"):
                return otherwise(builder, *args)
            number = ir.IntType(32)
            kind = ir.FunctionType(llvm_of(x), [*[llvm_of(x)] * 3, number])
            call = builder.module.declare_intrinsic("llvm.x86.avx512.pternlog.q.512", (), kind)
            return builder.call(call, [*args, ir.Constant(number, table)])

        return x(x, y, z), code

    return typed


@intrinsic
def odd_of_three(typing: Any, x: Any, y: Any, z: Any) -> Any:
    """Bits that are set in one or in all of three vectors of 64-bit integers."""
    return _of_three(0x96, lambda builder, *args: builder.xor(builder.xor(args[0], args[1]), args[2]))(typing, x, y, z)


@intrinsic
def most_of_three(typing: Any, x: Any, y: Any, z: Any) -> Any:
    """Bits that are set in two or in all of three vectors of 64-bit integers."""

    def otherwise(builder: ir.IRBuilder, *args: Any) -> Any:
        a, b, c = args
        return builder.or_(builder.and_(a, b), builder.and_(builder.xor(a, b), c))

    return _of_three(0xE8, otherwise)(typing, x, y, z)


@intrinsic
def shifted_down(typing: Any, x: Any, count: Any) -> Any:
    """Each element shifted right by `count` bits, fewer than it has; zeros come in."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = context.cast(builder, args[1], signature.args[1], types.Integer.from_bitwidth(x.bits, signed=False))
        return builder.lshr(args[0], everywhere(builder, x, number))

    return x(x, count), code


@intrinsic
def shifted_in(typing: Any, x: Any, y: Any, count: Any) -> Any:
    """Each element of `x` shifted left by `count` bits, fewer than it has; the highest bits of `y` come in."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = context.cast(builder, args[2], signature.args[2], types.Integer.from_bitwidth(x.bits, signed=False))
        kind = ir.FunctionType(llvm_of(x), [llvm_of(x)] * 3)
        call = builder.module.declare_intrinsic(f"llvm.fshl.v{x.lanes}i{x.bits}", (), kind)
        return builder.call(call, [args[0], args[1], everywhere(builder, x, number)])

    return x(x, y, count), code


@intrinsic
def where_set(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """`value` in each element whose bit is set in one word of as many bits, else 0."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        word = builder.load(builder.gep(data, [args[1]]))
        bits = builder.bitcast(word, ir.VectorType(ir.IntType(1), value.lanes))
        return builder.select(bits, args[2], ir.Constant(llvm_of(value), None))

    return value(array, types.intp, value), code


@intrinsic
def store_above(typing: Any, array: Any, index: Any, x: Any, y: Any) -> Any:
    """Write one bit for each element, whether signed `x` is above `y`, to one word of as many bits."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        bits = builder.bitcast(builder.icmp_signed(">", *args[2:]), ir.IntType(x.lanes))
        builder.store(bits, builder.gep(data, [args[1]])).align = 1
        return context.get_dummy_value()

    return types.void(array, types.intp, x, y), code
