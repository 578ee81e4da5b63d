"""Vectors of 512 bits for numba kernels: load, store, add and the few other instructions that the kernels need.

numba does not vectorise loops over integers of 8 or 16 bits, because it computes in 64 bits. These functions are the
vector instructions themselves, in LLVM's terms, which it translates for any processor; one with shorter registers needs
two or four of them. A vector holds 64, 32, 16 or 8 elements. Integers wrap around as in the processor.
None of these functions checks that an index is within its array.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba.core import types
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, register_model

from reduction.kernel_cache import kernel, numba_config
from reduction.shots.kernels.layout import VECTOR_BYTES

intrinsic: Any = numba_intrinsic  # the intrinsic has another signature than the decorated function


class Vector(types.Type):
    """Numba type of a vector of integers, or of floating-point numbers, of `bits` bits."""

    def __init__(self, bits: int, floating: bool = False) -> None:
        self.bits, self.lanes, self.floating = bits, VECTOR_BYTES * 8 // bits, floating
        super().__init__(name=f"Vector({self.lanes} x {bits} bits, floating {floating})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: Vector) -> None:
        super().__init__(dmm, fe_type, llvm_of(fe_type))


def llvm_of(vector: Vector) -> ir.VectorType:
    """LLVM type of a vector."""
    if vector.floating:
        return ir.VectorType(ir.FloatType() if vector.bits == 32 else ir.DoubleType(), vector.lanes)
    return ir.VectorType(ir.IntType(vector.bits), vector.lanes)


def _vector_of(array: types.Array) -> Vector:
    kind: Any = array.dtype
    return Vector(kind.bitwidth, isinstance(kind, types.Float))


def _address(context: Any, builder: ir.IRBuilder, array_type: types.Array, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), llvm_of(_vector_of(array_type)).as_pointer())


def _pick(builder: ir.IRBuilder, x: Any, y: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))


def has(feature: str) -> bool:
    """Whether the processor that numba compiles for, which `NUMBA_CPU_FEATURES` may name, has these instructions."""
    if numba_config.CPU_FEATURES is not None or numba_config.CPU_NAME is not None:
        return f"+{feature}" in str(numba_config.CPU_FEATURES).split(",")
    return bool(binding.get_host_cpu_features().get(feature))


def everywhere(builder: ir.IRBuilder, vector: Vector, number: Any) -> Any:
    """A vector with the same number in each element."""
    first = builder.insert_element(ir.Constant(llvm_of(vector), ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
    return _pick(builder, first, first, [0] * vector.lanes)


@kernel(error_model="numpy", nogil=True)
def aligned(room, size):  # type: ignore[no-untyped-def]
    """`size` elements of an array, from a cache line on; the array needs `VECTOR_BYTES` more than these.

    A vector across two cache lines would take twice as long.
    """
    first = (-room.ctypes.data) % VECTOR_BYTES // room.itemsize
    return room[first : first + size]


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """The elements from `index` on, as a vector."""

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
    """A vector of zeros, of the type of the array."""
    vector = _vector_of(array)
    return vector(array), lambda context, builder, signature, args: ir.Constant(llvm_of(vector), None)


@intrinsic
def filled(typing: Any, array: Any, value: Any) -> Any:
    """A vector of one value, of the type of the array."""
    vector = _vector_of(array)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = context.cast(builder, args[1], signature.args[1], array.dtype)
        return everywhere(builder, vector, number)

    return vector(array, value), code


def of_two(method: str) -> Any:
    """An intrinsic that applies one method of the code builder to two vectors."""

    def typed(typing: Any, x: Any, y: Any) -> Any:
        return x(x, y), lambda context, builder, signature, args: getattr(builder, method)(*args)

    return typed


@intrinsic
def add(typing: Any, x: Any, y: Any) -> Any:
    """Sums, element by element."""
    return of_two("fadd" if x.floating else "add")(typing, x, y)


@intrinsic
def subtract(typing: Any, x: Any, y: Any) -> Any:
    """Differences `x - y`, element by element."""
    return of_two("fsub" if x.floating else "sub")(typing, x, y)


@intrinsic
def multiply_add(typing: Any, x: Any, y: Any, z: Any) -> Any:
    """`x y + z` of floating-point numbers, rounded once."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(llvm_of(x), [llvm_of(x)] * 3)
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
        return builder.fpext(_pick(builder, args[0], args[0], list(range(first, first + 8))), llvm_of(wide))

    return wide(x), code


@intrinsic
def smaller(typing: Any, x: Any, y: Any) -> Any:
    """The smaller one, element by element, as signed integers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.icmp_signed("<", *args), *args)

    return x(x, y), code


@intrinsic
def larger(typing: Any, x: Any, y: Any) -> Any:
    """The larger one, element by element, as signed integers."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.icmp_signed(">", *args), *args)

    return x(x, y), code


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
        if has("avx512bw"):
            call = builder.module.declare_intrinsic(
                "llvm.x86.avx512.pmaddw.d.512", (), ir.FunctionType(llvm_of(wide), [llvm_of(x), llvm_of(y)])
            )
            return builder.call(call, args)
        products = []
        for first in (0, 1):
            factors = [_pick(builder, each, each, list(range(first, 32, 2))) for each in args]
            products.append(builder.mul(*(builder.sext(each, llvm_of(wide)) for each in factors)))
        return builder.add(*products)

    return wide(x, y), code


@intrinsic
def joined(typing: Any, x: Any) -> Any:
    """The same bits as a vector of 64-bit integers."""
    wide = Vector(64)
    return wide(x), lambda context, builder, signature, args: builder.bitcast(args[0], llvm_of(wide))
