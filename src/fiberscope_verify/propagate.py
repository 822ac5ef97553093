"""Which rule of monomial.py each core operation follows; an operation without one is refused."""

from __future__ import annotations

import numpy as np

from .contraction import concatenate, contract
from .core import Graph, Node
from .monomial import Block, Monomial, apply_law, clean, elementwise, move, ones, reduce, reshape
from .report import Reject, need


def unexpanded(graph: Graph, v: int) -> int:
    """The value behind expands, which broadcasting repeats by itself; a number stays a number under any reshape."""
    while graph.nodes[v].op == "expand" or (
        graph.nodes[v].op == "reshape" and graph.nodes[graph.nodes[v].args[0]].op == "lit"
    ):
        v = graph.nodes[v].args[0]
    return v


def propagate(graph: Graph, node: Node, values: dict[int, Monomial]) -> Monomial:
    """The transformation of one value from those of its arguments."""
    if all(values[v].identity for v in node.args):
        return Monomial()
    if node.op in ("add", "mul", "max", "min", "where", "compare"):
        node = Node(node.op, tuple(unexpanded(graph, v) for v in node.args), node.attrs, node.shape)
    args = [values[v] for v in node.args]
    shapes = [graph.shape(v) for v in node.args]
    if node.op in ("reshape", "permute", "expand", "take"):
        return move(node, args[0], shapes[0])
    if node.op == "map":
        return apply_law(args[0], node.attrs[0], node.attrs[1:], shapes[0])
    if node.op in ("add", "mul", "max", "min"):
        assert node.shape is not None
        return elementwise(node.op, args, shapes, node.shape)
    if node.op == "matmul":
        assert node.shape is not None
        n, (p, q) = len(node.shape), (len(s) for s in shapes)
        xmap = {a: a + n - p for a in range(p - 1)}
        ymap = {a: a + n - q for a in range(q - 2)} | {q - 1: n - 1}
        return contract(*args, *shapes, (p - 1,), (q - 2,), xmap, ymap, node.shape)
    if node.op == "conv":
        return convolution(node, args, shapes)
    if node.op == "reduce":
        return reduce(node.attrs[0], node.attrs[1], args[0], shapes[0])
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
        padded = [i for i, w in enumerate(node.attrs[0]) if any(w)]
        need(not args[0].touching(padded), "a transformed axis is padded")
        zero = float.fromhex(node.attrs[1]) == 0
        need(zero or all(np.all(b.f == 1) for b in args[0].blocks.values()), "padding with a number that is not zero")
        return args[0]
    if node.op == "embed":
        need(args[1].identity and not args[0].touching([0]), "the rows of an embedding are transformed")
        shift = len(shapes[1]) - 1
        return Monomial({tuple(a + shift for a in k): b for k, b in args[0].blocks.items()})
    if node.op == "where":
        assert node.shape is not None
        zero = [graph.nodes[v].op == "lit" and float.fromhex(graph.nodes[v].attrs[0]) == 0 for v in node.args[1:]]
        need(all(np.all(b.f == 1) for b in args[0].blocks.values()), "a scaled condition")
        chosen = [m for m, z in zip(args[1:], zero, strict=True) if not z]
        sizes = [s for s, z in zip(shapes[1:], zero, strict=True) if not z]
        bare = Monomial({k: Block(b.p, ones(b.p.shape)) for k, b in args[0].blocks.items()})
        value = elementwise("add", chosen, sizes, node.shape)
        return elementwise("mul", [bare, value], [shapes[0], node.shape], node.shape)
    if node.op == "compare":
        assert node.shape is not None
        out = elementwise("max", args, shapes, node.shape)
        return clean({k: Block(b.p, ones(b.p.shape)) for k, b in out.blocks.items()})
    raise Reject(f"no rule for {graph.notes.get(graph.index.get(node, -1), node.op)}")


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
