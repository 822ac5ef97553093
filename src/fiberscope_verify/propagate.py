"""Which rule of monomial.py each core operation follows; an operation without one is refused."""

from __future__ import annotations

import numpy as np

from .contraction import concatenate, contract
from .core import Graph, Node
from .facts import Facts
from .monomial import Block, Monomial, apply_law, clean, elementwise, move, ones, places, reduce, reshape
from .report import Reject, need


def unexpanded(graph: Graph, v: int) -> int:
    """The value behind expands, which broadcasting repeats by itself; a number stays a number under any reshape."""
    while graph.nodes[v].op == "expand" or (
        graph.nodes[v].op == "reshape" and graph.nodes[graph.nodes[v].args[0]].op == "lit"
    ):
        v = graph.nodes[v].args[0]
    return v


def propagate(graph: Graph, v: int, values: dict[int, Monomial], facts: Facts) -> Monomial:
    """The transformation of one value from those of its arguments."""
    node = graph.nodes[v]
    if all(values[u].identity for u in node.args) or facts.zero(v):
        return Monomial()
    args = [values[u] for u in node.args]
    shapes = [graph.shape(u) for u in node.args]
    if node.op in ("reshape", "permute", "expand", "take"):
        return move(node, args[0], shapes[0])
    if node.op == "map":
        return apply_law(args[0], node.attrs[0], node.attrs[1:], shapes[0])
    if node.op in ("add", "mul", "max", "min", "where", "compare"):
        return pointwise(graph, node, values, facts)
    if node.op == "matmul":
        assert node.shape is not None
        n, (p, q) = len(node.shape), (len(s) for s in shapes)
        xmap = {a: a + n - p for a in range(p - 1)}
        ymap = {a: a + n - q for a in range(q - 2)} | {q - 1: n - 1}
        (x, y), (sx, sy), out = args, shapes, node.shape
        try:
            return contract(x, y, sx, sy, (p - 1,), (q - 2,), xmap, ymap, out)
        except Reject:  # once more with the knowledge of equal entries
            labels = facts.labels(node.args[0]), facts.labels(node.args[1])
            if all(label is None for label in labels):
                raise
            return contract(x, y, sx, sy, (p - 1,), (q - 2,), xmap, ymap, out, labels)
    if node.op == "conv":
        return convolution(node, args, shapes)
    if node.op == "reduce":
        return reduce(node.attrs[0], node.attrs[1], args[0], shapes[0])
    if node.op == "cumsum":
        need(not args[0].touching([node.attrs[0]]), "a transformed axis is summed up step by step")
        return args[0]
    if node.op == "argmax":
        need(not args[0].touching([node.attrs[1]]), "a transformed axis is searched")
        need(all(np.all(b.f > 0) for b in args[0].blocks.values()), "the place of a maximum of negative multiples")
        return unscaled(args[0])
    if node.op == "window":
        space = range(len(shapes[0]) - len(node.attrs[1]), len(shapes[0]))
        need(not args[0].touching(space), "a transformed axis is pooled over")
        need(
            node.attrs[0] == "mean" or all(np.all(b.f > 0) for b in args[0].blocks.values()),
            "a maximum of negative multiples",
        )
        return args[0]
    if node.op == "cat":
        return concatenate(args, shapes, node.attrs[0])
    if node.op == "pad":
        zero = float.fromhex(node.attrs[1]) == 0
        need(zero or all(np.all(b.f == 1) for b in args[0].blocks.values()), "padding with a number that is not zero")
        return Monomial({k: padded(b, [node.attrs[0][a] for a in k]) for k, b in args[0].blocks.items()})
    if node.op == "embed":
        need(args[1].identity and not args[0].touching([0]), "the rows of an embedding are transformed")
        shift = len(shapes[1]) - 1
        return Monomial({tuple(a + shift for a in k): b for k, b in args[0].blocks.items()})
    if node.op == "index":
        return look_up(node.attrs[0], args, shapes)
    raise Reject(f"no rule for {graph.notes.get(v, node.op)}")


def unscaled(m: Monomial) -> Monomial:
    """The same moves with factors 1."""
    return clean({k: Block(b.p, ones(b.p.shape)) for k, b in m.blocks.items()})


def pointwise(graph: Graph, node: Node, values: dict[int, Monomial], facts: Facts) -> Monomial:
    """Entry by entry, with broadcasting; a zero fits any transformation where it is added or compared."""
    assert node.shape is not None
    bare = [unexpanded(graph, u) for u in node.args]
    args, shapes, zero = [values[u] for u in bare], [graph.shape(u) for u in bare], [facts.zero(u) for u in bare]

    def combined(op: str, which: list[int], operands: list[Monomial]) -> Monomial:
        """elementwise, where it refuses a second time with the knowledge of equal entries."""
        assert node.shape is not None
        sizes = [shapes[i] for i in which]
        try:
            return elementwise(op, operands, sizes, node.shape)
        except Reject:
            labels = [facts.labels(bare[i]) for i in which]
            if all(label is None for label in labels):
                raise
            return elementwise(op, operands, sizes, node.shape, labels)

    if node.op == "mul":
        return combined("mul", [0, 1], args)
    if node.op == "where":
        condition = args[0]
        need(all(np.all(b.f == 1) for b in condition.blocks.values()), "a scaled condition")
        kept = [i for i in (1, 2) if not zero[i]]
        value = combined("add", kept, [args[i] for i in kept])
        return elementwise("mul", [unscaled(condition), value], [shapes[0], node.shape], node.shape)
    kept = [i for i in range(len(bare)) if not zero[i]]
    if node.op in ("compare", "max", "min"):  # x against 0: the sign of every x must stay
        loose = node.op == "compare" and node.attrs[0] in ("equal", "not_equal")
        operands = [unscaled_signs(args[i]) if loose and len(kept) == 1 else args[i] for i in kept]
        out = combined("max", kept, operands)
        return unscaled(out) if node.op == "compare" else out
    return combined("add", kept, [args[i] for i in kept])


def padded(block: Block, widths: list[tuple[int, int]]) -> Block:
    """A block whose axes grow: the new places stay where they are."""
    size = tuple(n + a + b for n, (a, b) in zip(block.p.shape, widths, strict=True))
    inner = tuple(slice(a, a + n) for n, (a, _) in zip(block.p.shape, widths, strict=True))
    moved = np.unravel_index(block.p, block.p.shape)
    p, f = places(size), ones(size)
    p[inner] = np.ravel_multi_index(tuple(m + a for m, (a, _) in zip(moved, widths, strict=True)), size)
    f[inner] = block.f
    return Block(p, f)


def unscaled_signs(m: Monomial) -> Monomial:
    """The same moves and sizes of factors, all positive: whether a number is zero does not depend on its sign."""
    return clean({k: Block(b.p, np.abs(b.f)) for k, b in m.blocks.items()})


def look_up(axes: tuple[int, ...], args: list[Monomial], shapes: list[tuple[int, ...]]) -> Monomial:
    """x[..., i, ...]: indices and indexed axes are untouched, the other axes keep what they have."""
    need(all(m.identity for m in args[1:]) and not args[0].touching(axes), "an indexed axis is transformed")
    rank = max(len(s) for s in shapes[1:])
    together = axes == tuple(range(axes[0], axes[-1] + 1))
    rest = [a for a in range(len(shapes[0])) if a not in axes]
    before = [a for a in rest if together and a < axes[0]]
    place = {a: i if a in before else i + rank for i, a in enumerate(rest)}
    return Monomial({tuple(place[a] for a in k): b for k, b in args[0].blocks.items()})


def convolution(node: Node, args: list[Monomial], shapes: list[tuple[int, ...]]) -> Monomial:
    """Channels are contracted, group by group; spatial axes and the kernel must be untouched."""
    (x, w), (sx, sw) = args, shapes
    assert node.shape is not None
    groups = node.attrs[2]
    need(not x.touching(range(2, len(sx))) and not w.touching(range(2, len(sw))), "a spatial axis is transformed")
    n, o = sx[0], sw[0]
    x = reshape(Monomial(dict(x.blocks)), sx[:2], (n, groups, sx[1] // groups))
    w = reshape(Monomial(dict(w.blocks)), sw[:2], (groups, o // groups, sw[1]))
    # x[n, g, c] w[g, o, c] -> out[n, g, o]
    out = contract(
        x,
        w,
        (n, groups, sx[1] // groups),
        (groups, o // groups, sw[1]),
        (2,),
        (2,),
        {0: 0, 1: 1},
        {0: 1, 1: 2},
        (n, groups, o // groups),
    )
    return reshape(out, (n, groups, o // groups), (n, o))
