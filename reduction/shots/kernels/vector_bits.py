"""Bits of vectors: shifts, one bit an element; see `reduction.shots.kernels.vectors`."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types

from reduction.shots.kernels.vectors import intrinsic, llvm_of


@intrinsic
def shifted_in(typing: Any, x: Any, y: Any, counts: Any) -> Any:
    """Each element of `x` shifted left by as many bits, fewer than it has; the highest bits of `y` come in."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(llvm_of(x), [llvm_of(x)] * 3)
        return builder.call(builder.module.declare_intrinsic(f"llvm.fshl.v{x.lanes}i{x.bits}", (), kind), args)

    return x(x, y, counts), code


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
