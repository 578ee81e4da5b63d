"""Vectors of 512 bits for numba kernels: load, store, ``+ - & | ^`` and the few instructions that the kernels need.

numba does not vectorise loops over integers of 8 or 16 bits, because it computes in 64 bits. These functions are the
vector instructions themselves, in LLVM's terms, which it translates for any processor; one with shorter registers needs
two or four of them. A vector holds 64, 32, 16 or 8 elements. Integers wrap around as in the processor.
None of these functions checks that an index is within its array.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir
from numba.core import types
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import lower_builtin, models, register_model

from reduction.kernel_cache import kernel, numba_config
from reduction.shots.kernels.layout import VECTOR_BYTES

intrinsic: Any = numba_intrinsic  # the intrinsic has another signature than the decorated function
OPERATORS = {
    operator.add: ("add", "fadd"),
    operator.sub: ("sub", "fsub"),
    operator.and_: ("and_",),
    operator.or_: ("or_",),
    operator.xor: ("xor",),
}
"""Methods of LLVM's builder for integers, and for floating-point numbers."""


class Vector(types.Type):
    """Numba type of a vector of integers, or of floating-point numbers, of `bits` bits; of 512 bits if not said."""

    def __init__(self, bits: int, floating: bool = False, lanes: int = 0) -> None:
        self.bits, self.lanes, self.floating = bits, lanes or VECTOR_BYTES * 8 // bits, floating
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


def vector_of(array: types.Array) -> Vector:
    """Type of a vector of elements of an array."""
    kind: Any = array.dtype
    return Vector(kind.bitwidth, isinstance(kind, types.Float))


def pick(builder: ir.IRBuilder, x: Any, y: Any, lanes: list[int]) -> Any:
    """A vector of these elements of two, counted on in the second."""
    return builder.shuffle_vector(x, y, ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes))


def has(feature: str) -> bool:
    """Whether the processor that numba compiles for, which `NUMBA_CPU_FEATURES` may name, has these instructions."""
    if numba_config.CPU_FEATURES is not None or numba_config.CPU_NAME is not None:
        return f"+{feature}" in str(numba_config.CPU_FEATURES).split(",")
    return bool(binding.get_host_cpu_features().get(feature))


def _add_operator(symbol: Callable[..., Any], methods: tuple[str, ...]) -> None:
    """Let numba apply an operator to two vectors of one type, element by element."""

    @infer_global(symbol)
    class _OfVectors(AbstractTemplate):  # type: ignore[misc]
        def generic(self, args: Any, kws: Any) -> Any:
            return args[0](*args) if isinstance(args[0], Vector) and args[0] == args[1] else None

    @lower_builtin(symbol, Vector, Vector)
    def _code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return getattr(builder, methods[signature.return_type.floating])(*args)


for _symbol, _methods in OPERATORS.items():
    _add_operator(_symbol, _methods)


@kernel(error_model="numpy", nogil=True)
def aligned(room, size):  # type: ignore[no-untyped-def]
    """`size` elements of an array, from a cache line on; the array needs `VECTOR_BYTES` more than these.

    A vector across two cache lines would take twice as long.
    """
    first = (-room.ctypes.data) % VECTOR_BYTES // room.itemsize
    return room[first : first + size]


def _address(context: Any, builder: ir.IRBuilder, array_type: types.Array, array: Any, index: Any, v: Vector) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), llvm_of(v).as_pointer())


def _loaded(array: Any, vector: Vector, then: Callable[[Any, Any], Any] = lambda builder, x: x) -> Any:
    """Code that loads a vector and does something with it."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x = builder.load(_address(context, builder, array, args[0], args[1], vector))
        x.align = 1
        return then(builder, x)

    return code


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """The elements from `index` on, as a vector."""
    vector = vector_of(array)
    return vector(array, types.intp), _loaded(array, vector)


@intrinsic
def load_wide(typing: Any, array: Any, index: Any) -> Any:
    """The elements from `index` on, as a vector of twice the size."""
    vector = vector_of(array)
    wide = Vector(vector.bits, vector.floating, 2 * vector.lanes)
    return wide(array, types.intp), _loaded(array, wide)


@intrinsic
def load_twice(typing: Any, array: Any, index: Any) -> Any:
    """The elements from `index` on, as a vector of twice the size that has them twice."""
    vector = vector_of(array)
    wide = Vector(vector.bits, vector.floating, 2 * vector.lanes)
    lanes = [*range(vector.lanes)] * 2
    return wide(array, types.intp), _loaded(array, vector, lambda builder, x: pick(builder, x, x, lanes))


@intrinsic
def load_two(typing: Any, array: Any, index: Any, other: Any) -> Any:
    """The elements from `index` on, and those from `other` on, as a vector of twice the size."""
    vector = vector_of(array)
    wide, one = Vector(vector.bits, vector.floating, 2 * vector.lanes), _loaded(array, vector)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        halves = [one(context, builder, signature, (args[0], each)) for each in args[1:]]
        return pick(builder, halves[0], halves[1], [*range(wide.lanes)])

    return wide(array, types.intp, types.intp), code


@intrinsic
def load_doubles(typing: Any, array: Any, index: Any) -> Any:
    """Eight single-precision numbers from `index` on, in double precision."""
    wide = Vector(64, floating=True)
    return wide(array, types.intp), _loaded(
        array, Vector(32, floating=True, lanes=8), lambda builder, x: builder.fpext(x, llvm_of(wide))
    )


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write a vector to the elements from `index` on."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _address(context, builder, signature.args[0], args[0], args[1], vector)).align = 1
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), code


@intrinsic
def filled(typing: Any, array: Any, value: Any) -> Any:
    """A vector of one value, of the type of the array."""
    vector = vector_of(array)

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number = context.cast(builder, args[1], signature.args[1], array.dtype)
        room = ir.Constant(llvm_of(vector), ir.Undefined)
        first = builder.insert_element(room, number, ir.Constant(ir.IntType(32), 0))
        return pick(builder, first, first, [0] * vector.lanes)

    return vector(array, value), code


@intrinsic
def multiply_add(typing: Any, x: Any, y: Any, z: Any) -> Any:
    """`x y + z` of floating-point numbers, rounded once."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.FunctionType(llvm_of(x), [llvm_of(x)] * 3)
        name = f"llvm.fma.v{x.lanes}f{x.bits}"
        return builder.call(builder.module.declare_intrinsic(name, (), kind), args)

    return x(x, y, z), code


def _chosen(sign: str, x: Any, y: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.icmp_signed(sign, *args), *args)

    return x(x, y), code


@intrinsic
def smaller(typing: Any, x: Any, y: Any) -> Any:
    """The smaller one, element by element, as signed integers."""
    return _chosen("<", x, y)


@intrinsic
def larger(typing: Any, x: Any, y: Any) -> Any:
    """The larger one, element by element, as signed integers."""
    return _chosen(">", x, y)


def _pairs(first: int, x: Any, y: Any) -> Any:
    lanes = [lane + other for eight in range(first, 32, 8) for lane in range(eight, eight + 4) for other in (0, 32)]
    return x(x, y), lambda context, builder, signature, args: pick(builder, args[0], args[1], lanes)


@intrinsic
def low_pairs(typing: Any, x: Any, y: Any) -> Any:
    """Elements 0-3 of each eight of two vectors, in turn: x0, y0, x1, y1, ...; 16-bit integers."""
    return _pairs(0, x, y)


@intrinsic
def high_pairs(typing: Any, x: Any, y: Any) -> Any:
    """Elements 4-7 of each eight of two vectors, in turn: x4, y4, x5, y5, ...; 16-bit integers."""
    return _pairs(4, x, y)


@intrinsic
def add_products(typing: Any, total: Any, x: Any, y: Any) -> Any:
    """`total`, 32-bit integers, and x0 y0 + x1 y1, x2 y2 + x3 y3, ... of signed 16-bit integers.

    The bits of `x` and `y` may belong to integers of another size.
    """
    narrow = llvm_of(Vector(16))

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        factors = [builder.bitcast(each, narrow) for each in args[1:]]
        if has("avx512bw"):
            kind = ir.FunctionType(llvm_of(total), [narrow, narrow])
            products = builder.call(builder.module.declare_intrinsic("llvm.x86.avx512.pmaddw.d.512", (), kind), factors)
        else:
            halves = [[pick(builder, each, each, [*range(first, 32, 2)]) for each in factors] for first in (0, 1)]
            products = builder.add(*(builder.mul(*(builder.sext(x, llvm_of(total)) for x in half)) for half in halves))
        return builder.add(products, args[0])

    return total(total, x, y), code
