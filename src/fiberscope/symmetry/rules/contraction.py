"""Contractions: matrix products, convolutions, embeddings. They commute with every linear map."""

from __future__ import annotations

from typing import Any

from fiberscope.symmetry.axes import INPUT, PIXEL, Axis, Uniform, fixed_axis, product, resolve
from fiberscope.symmetry.groups import Mixing
from fiberscope.symmetry.rules.call import Call, Rule
from fiberscope.symmetry.rules.elementwise import combine_equal
from fiberscope.symmetry.typed import Inference, Typed
from fiberscope.symmetry.unify import Mismatch


def mm(inf: Inference, node: Call) -> Typed:
    """(m, k) @ (k, n)."""
    return matrix_product(inf, node.args[0], node.args[1])


def note_reader(inf: Inference, left: Any, a: Axis, right: Any, b: Axis) -> None:
    """Note which side of a contraction is a stored weight."""
    if getattr(left, "name", None) in inf.stored:
        inf.read(left, a, b)
    else:
        inf.read(right, b, a)


def matrix_product(inf: Inference, left: Any, right: Any) -> Typed:
    """Contract the last axis of ``a`` with the first of ``b``; a zero factor (an initial state) ties nothing."""
    a, b = inf.typed(left), inf.typed(right)
    if a.zero or b.zero:
        sizes = [x.size for x in (*a.axes[:-1], *b.axes[1:])]
        return Typed(tuple(Uniform(n) for n in sizes), True, zero=True)
    note_reader(inf, left, a.axes[-1], right, b.axes[0])
    inf.facts.contract(a.axes[-1], b.axes[0])
    inf.facts.apart(*a.axes[:-1])
    inf.facts.apart(*b.axes[1:])
    return Typed(tuple(resolve(x) for x in (*a.axes[:-1], *b.axes[1:])), a.constant and b.constant)


def addmm(inf: Inference, node: Call) -> Typed:
    """bias + a @ b."""
    return combine_equal(inf, matrix_product(inf, node.args[1], node.args[2]), inf.typed(node.args[0]))


def bmm(inf: Inference, node: Call) -> Typed:
    """(b, m, k) @ (b, k, n): the batch axes are tied entrywise."""
    return batched(inf, node.args[0], node.args[1])


def batched(inf: Inference, left: Any, right: Any) -> Typed:
    """Batched matrix product."""
    a, b = inf.typed(left), inf.typed(right)
    note_reader(inf, left, a.axes[2], right, b.axes[1])
    batch = inf.facts.multiply(a.axes[0], b.axes[0])
    inf.facts.contract(a.axes[2], b.axes[1], batch=(batch,))
    inf.facts.apart(batch, a.axes[1])
    inf.facts.apart(batch, b.axes[2])
    axes = (batch, a.axes[1], b.axes[2])
    return Typed(tuple(resolve(x) for x in axes), a.constant and b.constant)


def baddbmm(inf: Inference, node: Call) -> Typed:
    """bias + batched product."""
    return combine_equal(inf, batched(inf, node.args[1], node.args[2]), inf.typed(node.args[0]))


def mv(inf: Inference, node: Call) -> Typed:
    """Matrix times vector."""
    return matrix_product(inf, node.args[0], node.args[1])


def addmv(inf: Inference, node: Call) -> Typed:
    """bias + matrix times vector."""
    return combine_equal(inf, matrix_product(inf, node.args[1], node.args[2]), inf.typed(node.args[0]))


def convolution(inf: Inference, node: Call) -> Typed:
    """Convolution of any rank, grouped, depthwise or transposed: channels contract, pixels stay fixed."""
    x, w = inf.typed(node.args[0]), inf.typed(node.args[1])
    bias = inf.typed(node.args[2]) if node.args[2] is not None else None
    transposed, groups = bool(node.args[6]), int(node.args[8])
    batch, channels, *pixels = x.axes
    inf.facts.fix_pixels(*pixels, *w.axes[2:])
    read, written = (w.axes[0], w.axes[1]) if transposed else (w.axes[1], w.axes[0])
    if groups == 1:
        inf.read(node.args[1], read, channels)
    else:
        inf.pooled.append(channels)
    try:
        out = _grouped(inf, channels, read, written, groups, transposed)
    except Mismatch:
        for axis in (channels, read, written):
            inf.facts.freeze(axis)
        out = fixed_axis(written.size * (groups if transposed else 1), inf.facts.where)
    if bias is not None:
        out = inf.facts.equal(out, bias.axes[0])
        for axis in (batch, *pixels):
            inf.facts.vanish(axis)
    inf.facts.apart(batch)
    inf.facts.apart(out)
    shape = node.meta["val"].shape
    made = [batch, out, *(fixed_axis(int(n), PIXEL) for n in shape[2:])]
    return Typed(tuple(resolve(a) for a in made), x.constant and w.constant)


def _grouped(inf: Inference, channels: Axis, read: Axis, written: Axis, groups: int, transposed: bool) -> Axis:
    """Tie input and weight channels; return the type of the output channels."""
    facts = inf.facts
    if groups == 1:
        facts.contract(channels, read)
        return resolve(written)
    group_x, inner_x = facts.split(channels, groups)
    if transposed:
        group_w, inner_w = facts.split(read, groups)
        group = facts.multiply(group_x, group_w)
        if inner_x.size > 1 or inner_w.size > 1:
            facts.contract(inner_x, inner_w, batch=(group,))
        return product([resolve(group), resolve(written)])
    group_w, out = facts.split(written, groups)
    group = facts.multiply(group_x, group_w)
    if isinstance(inner_x, Uniform):
        facts.vanish(read)
    else:
        facts.contract(inner_x, read, batch=(group,))
    return product([resolve(group), resolve(out)])


def embedding(inf: Inference, node: Call) -> Typed:
    """Rows of a table picked by tokens: the rows are fixed, the columns pass through."""
    table, tokens = inf.typed(node.args[0]), inf.typed(node.args[1])
    before, inf.facts.where = inf.facts.where, INPUT
    inf.facts.freeze(table.axes[0])
    inf.facts.where = before
    inf.facts.apart(table.axes[1])
    inf.facts.apart(*tokens.axes)
    return Typed((*tokens.axes, resolve(table.axes[1])), table.constant and tokens.constant)


def outer_linear(inf: Inference, node: Call) -> Typed:
    """x @ weight.T + bias, where torch keeps it whole."""
    x, w = inf.typed(node.args[0]), inf.typed(node.args[1])
    inf.read(node.args[1], w.axes[1], x.axes[-1])
    inf.facts.contract(x.axes[-1], w.axes[1])
    inf.facts.apart(*x.axes[:-1])
    inf.facts.apart(w.axes[0])
    out = Typed((*x.axes[:-1], resolve(w.axes[0])), x.constant and w.constant)
    if len(node.args) > 2 and node.args[2] is not None:
        out = combine_equal(inf, out, inf.typed(node.args[2]))
    return out


def dot(inf: Inference, node: Call) -> Typed:
    """Inner product of two vectors."""
    a, b = inf.typed(node.args[0]), inf.typed(node.args[1])
    note_reader(inf, node.args[0], a.axes[0], node.args[1], b.axes[0])
    inf.facts.contract(a.axes[0], b.axes[0])
    return Typed((), a.constant and b.constant)


def trilinear(inf: Inference, node: Call) -> Typed:
    """sum over some axes of the product of three broadcast tensors (nn.Bilinear)."""
    operands = [inf.typed(a) for a in node.args[:3]]
    inserts: list[Any] = list(node.args[3:6])
    summed = {int(d) for d in node.args[6]}
    rank = len(operands[0].axes) + len(inserts[0])
    wide: list[list[Axis]] = []
    for x, places in zip(operands, inserts, strict=True):
        rest = iter(x.axes)
        wide.append([Uniform(1) if d in places else next(rest) for d in range(rank)])
    for axes in wide:
        inf.facts.apart(*(a for d, a in enumerate(axes) if d not in summed))
    out: list[Axis] = []
    for d in range(rank):
        present = [w[d] for w, places in zip(wide, inserts, strict=True) if d not in places]
        if d in summed and len(present) == 2:
            inf.pooled += present
            inf.facts.contract(present[0], present[1])
            continue
        axis = present[0]
        for other in present[1:]:
            axis = inf.facts.multiply(axis, other)
        if d in summed:
            inf.pooled.append(axis)
            inf.facts.lower(axis, Mixing.permutation)
            inf.facts.vanish(axis)
        else:
            out.append(axis)
    return Typed(tuple(resolve(a) for a in out), all(x.constant for x in operands))


RULES: dict[str, Rule] = {
    "mm": mm,
    "addmm": addmm,
    "bmm": bmm,
    "baddbmm": baddbmm,
    "mv": mv,
    "addmv": addmv,
    "dot": dot,
    "_trilinear": trilinear,
    "linear": outer_linear,
    "convolution": convolution,
    "embedding": embedding,
}
