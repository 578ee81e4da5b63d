"""Vectors of 512 bits for numba kernels: load, store, add and the few other things that the kernels need.

A loop over integers of 8 or 16 bits is not made into vectors of them by numba, which counts in 64 bits. These functions
are the vector instructions themselves, in terms that LLVM translates for any processor; one with shorter registers
takes two or four of them. A vector holds 64, 32, 16 or 8 elements. Integers wrap around as in the processor.
None of these functions checks that an index is within its array.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba.core import types
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, register_model

intrinsic: Any = numba_intrinsic  # what it makes of a function has another signature than the function
VECTOR_BYTES = 64


class Vector(types.Type):
    """Numba type of a vector of integers, or of floating-point numbers, of `bits` bits."""

    def __init__(self, bits: int, floating: bool = False) -> None:
        self.bits, self.lanes, self.floating = bits, VECTOR_BYTES * 8 // bits, floating
        super().__init__(name=f"Vector({self.lanes} x {bits} bits, floating {floating})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Vector) -> None:
        super().__init__(dmm, fe_type, _llvm(fe_type))


def _llvm(vector: Vector) -> ir.VectorType:
    if vector.floating:
        return ir.VectorType(ir.FloatType() if vector.bits == 32 else ir.DoubleType(), vector.lanes)
    return ir.VectorType(ir.IntType(vector.bits), vector.lanes)


def _vector_of(array: types.Array) -> Vector:
    kind: Any = array.dtype
    return Vector(kind.bitwidth, isinstance(kind, types.Float))


def _address(context: Any, builder: ir.IRBuilder, array_type: types.Array, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _llvm(_vector_of(array_type)).as_pointer())


def _pick(builder: ir.IRBuilder, x: Any, y: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))


def _everywhere(builder: ir.IRBuilder, vector: Vector, number: Any) -> Any:
    first = builder.insert_element(ir.Constant(_llvm(vector), ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return _pick(builder, first, first, [0] * vector.lanes)


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """The elements from `index` on, as a vector of the array's integers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = builder.load(_address(context, builder, signature.args[0], *args))
        vector.align = 1
        return vector

    return _vector_of(array)(array, types.intp), code


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write a vector to the elements from `index` on."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, signature.args[0], *args[:2])).align = 1
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), code


@intrinsic
def zeros(typing: Any, array: Any) -> Any:
    """A vector of zeros, of the array's integers."""
    vector = _vector_of(array)
    return vector(array), lambda context, builder, signature, args: ir.Constant(_llvm(vector), None)


@intrinsic
def filled(typing: Any, array: Any, value: Any) -> Any:
    """A vector of one value, of the array's integers."""
    vector = _vector_of(array)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = context.cast(builder, args[1], signature.args[1], array.dtype)
        return _everywhere(builder, vector, number)

    return vector(array, value), code


def _of_two(method: str) -> Any:
    """An intrinsic that applies one method of the code builder to two vectors."""

    def typed(typing: Any, x: Any, y: Any) -> Any:
        return x(x, y), lambda context, builder, signature, args: getattr(builder, method)(*args)

    return typed


@intrinsic
def add(typing: Any, x: Any, y: Any) -> Any:
    """Sums, element by element."""
    return _of_two("fadd" if x.floating else "add")(typing, x, y)


@intrinsic
def subtract(typing: Any, x: Any, y: Any) -> Any:
    """Differences `x - y`, element by element."""
    return _of_two("fsub" if x.floating else "sub")(typing, x, y)


@intrinsic
def multiply_add(typing: Any, x: Any, y: Any, z: Any) -> Any:
    """`x y + z` of floating-point numbers, rounded once."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(_llvm(x), [_llvm(x)] * 3)
        name = f"llvm.fma.v{x.lanes}f{x.bits}"
        return builder.call(builder.module.declare_intrinsic(name, (), kind), args)

    return x(x, y, z), code


@intrinsic
def lower_doubles(typing: Any, x: Any) -> Any:
    """The first 8 of 16 single-precision numbers, in double precision."""
    return _doubles(x, 0)


@intrinsic
def upper_doubles(typing: Any, x: Any) -> Any:
    """The last 8 of 16 single-precision numbers, in double precision."""
    return _doubles(x, 8)


def _doubles(x: Any, first: int) -> Any:
    wide = Vector(64, floating=True)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fpext(_pick(builder, args[0], args[0], list(range(first, first + 8))), _llvm(wide))

    return wide(x), code


@intrinsic
def either(typing: Any, x: Any, y: Any) -> Any:
    """Bits that are set in one of two vectors or in both."""
    return _of_two("or_")(typing, x, y)


@intrinsic
def both(typing: Any, x: Any, y: Any) -> Any:
    """Bits that are set in both of two vectors."""
    return _of_two("and_")(typing, x, y)


@intrinsic
def unlike(typing: Any, x: Any, y: Any) -> Any:
    """Bits that are set in one of two vectors and not in the other."""
    return _of_two("xor")(typing, x, y)


def _of_three(table: int, otherwise: Callable[[ir.IRBuilder, Any, Any, Any], Any]) -> Any:
    """An intrinsic of one instruction where the processor has it: bit `4 x + 2 y + z` of its table is the answer."""

    def typed(typing: Any, x: Any, y: Any, z: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            if not binding.get_host_cpu_features().get("avx512f"):
                return otherwise(builder, *args)
            number = ir.IntType(32)
            kind = ir.FunctionType(_llvm(x), [*[_llvm(x)] * 3, number])
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
        return builder.lshr(args[0], _everywhere(builder, x, number))

    return x(x, count), code


@intrinsic
def shifted_in(typing: Any, x: Any, y: Any, count: Any) -> Any:
    """Each element of `x` shifted left by `count` bits, fewer than it has; the highest bits of `y` come in."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = context.cast(builder, args[2], signature.args[2], types.Integer.from_bitwidth(x.bits, signed=False))
        kind = ir.FunctionType(_llvm(x), [_llvm(x)] * 3)
        call = builder.module.declare_intrinsic(f"llvm.fshl.v{x.lanes}i{x.bits}", (), kind)
        return builder.call(call, [args[0], args[1], _everywhere(builder, x, number)])

    return x(x, y, count), code


@intrinsic
def smaller(typing: Any, x: Any, y: Any) -> Any:
    """The smaller one, element by element, as signed integers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.icmp_signed("<", *args), *args)

    return x(x, y), code


@intrinsic
def where_above(typing: Any, x: Any, y: Any, value: Any) -> Any:
    """`value` where signed `x` is above `y`, else 0, element by element."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        nothing = ir.Constant(_llvm(value), None)
        return builder.select(builder.icmp_signed(">", *args[:2]), args[2], nothing)

    return value(x, y, value), code


@intrinsic
def larger(typing: Any, x: Any, y: Any) -> Any:
    """The larger one, element by element, as signed integers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.icmp_signed(">", *args), *args)

    return x(x, y), code


@intrinsic
def where_set(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """`value` where the bit of an element's place is set in one element of as many bits, else 0."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        word = builder.load(builder.gep(data, [args[1]]))
        marks = builder.bitcast(word, ir.VectorType(ir.IntType(1), value.lanes))
        return builder.select(marks, args[2], ir.Constant(_llvm(value), None))

    return value(array, types.intp, value), code


@intrinsic
def low_pairs(typing: Any, x: Any, y: Any) -> Any:
    """Elements 0-3 of each eight of two vectors, in turn: x0, y0, x1, y1, ...; 16-bit integers."""
    lanes = [lane + other for eight in range(0, 32, 8) for lane in range(eight, eight + 4) for other in (0, 32)]
    return x(x, y), lambda context, builder, signature, args: _pick(builder, args[0], args[1], lanes)


@intrinsic
def high_pairs(typing: Any, x: Any, y: Any) -> Any:
    """Elements 4-7 of each eight of two vectors, in turn: x4, y4, x5, y5, ...; 16-bit integers."""
    lanes = [lane + other for eight in range(4, 32, 8) for lane in range(eight, eight + 4) for other in (0, 32)]
    return x(x, y), lambda context, builder, signature, args: _pick(builder, args[0], args[1], lanes)


@intrinsic
def multiply_pairs(typing: Any, x: Any, y: Any) -> Any:
    """x0 y0 + x1 y1, x2 y2 + x3 y3, ... of signed 16-bit integers, as 32-bit integers."""
    wide = Vector(32)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if binding.get_host_cpu_features().get("avx512bw"):
            call = builder.module.declare_intrinsic(
                "llvm.x86.avx512.pmaddw.d.512", (), ir.FunctionType(_llvm(wide), [_llvm(x), _llvm(y)])
            )
            return builder.call(call, args)
        products = []
        for first in (0, 1):
            factors = [_pick(builder, each, each, list(range(first, 32, 2))) for each in args]
            products.append(builder.mul(*(builder.sext(each, _llvm(wide)) for each in factors)))
        return builder.add(*products)

    return wide(x, y), code


@intrinsic
def joined(typing: Any, x: Any) -> Any:
    """The same bits as a vector of 64-bit integers."""
    wide = Vector(64)
    return wide(x), lambda context, builder, signature, args: builder.bitcast(args[0], _llvm(wide))


@intrinsic
def store_above(typing: Any, array: Any, index: Any, x: Any, y: Any) -> Any:
    """Write one bit for each element, whether signed `x` is above `y`, to one element of as many bits."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(array)(context, builder, args[0]).data
        marks = builder.bitcast(builder.icmp_signed(">", *args[2:]), ir.IntType(x.lanes))
        builder.store(marks, builder.gep(data, [args[1]])).align = 1
        return context.get_dummy_value()

    return types.void(array, types.intp, x, y), code
