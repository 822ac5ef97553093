"""Networks that are affine maps alternating with elementwise activations: f = A_L o rho o ... o rho o A_1, exactly.

Every value of the core graph is `tree(z)`: an elementwise expression of an affine map z of the latest activation layer.
Verbatim weights stay float64; the first real arithmetic on a number makes it an fmpq.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from flint import fmpq

from .affine import Affine, Constant, Expression, dot, plus, times
from .core import MOVES, Graph, Node, apply_move
from .exact import MAX_EXACT, rational, unit_in_last_place
from .laws import exact_value
from .model import Model
from .report import Reject, need
from .slopes import slopes_only, users_of
from .trees import Tree, X, line_of


@dataclass
class Layer:
    """z = W h + b and the activation that follows (None after the last); ulp arrays are 0 for computed numbers."""

    weight: np.ndarray
    bias: np.ndarray
    weight_ulp: np.ndarray
    bias_ulp: np.ndarray
    activation: Tree | None


@dataclass
class Chain:
    """Layers from input to output; n_in and n_out count flat numbers of one sample."""

    layers: list[Layer]
    cache: dict = field(default_factory=dict)

    @property
    def n_in(self) -> int:
        return self.layers[0].weight.shape[1]

    @property
    def n_out(self) -> int:
        return self.layers[-1].weight.shape[0]


class Builder:
    """Walks a core graph once."""

    def __init__(self, graph: Graph, model: Model):
        self.g, self.model = graph, model
        self.layers: list[Layer] = []
        self.widths = [sum(math.prod(graph.shape(v)) for v in graph.inputs)]
        self.values: dict[int, Expression | Constant] = {}
        self.opened: dict[int, Affine] = {}  # by identity of the expression; `keep` holds what identities refer to
        self.moves: dict[tuple, Affine] = {}
        self.keep: list = []
        self.users = users_of(graph)

    def affine(self, e: Expression) -> Affine:
        """The expression as an affine map of the newest layer; a nonlinear tree opens a new layer."""
        if e.tree == X:
            return e.base
        if id(e) in self.opened:
            return self.opened[id(e)]
        scaled = self.affine_tree(e.tree, e.base)
        if scaled is None:
            need(e.base.layer == len(self.layers), "an activation is used across layers: not a chain")
            a, ua = e.base.matrix(self.widths[-1])
            self.layers.append(Layer(a, e.base.c, ua, e.base.uc, e.tree))
            n = len(e.base.c)
            self.widths.append(n)
            zero = np.zeros(n)
            scaled = Affine(len(self.layers), e.base.shape, np.arange(n), None, zero, None, zero)
        self.opened[id(e)] = scaled
        self.keep.append(e)
        return scaled

    def affine_tree(self, tree: Tree, base: Affine) -> Affine | None:
        """slope * z + offset if the tree is that, else None."""
        line = line_of(tree)
        if line is None:
            return None
        slope, offset = (np.array(v, dtype=object) for v in line)
        return self.shifted(self.scaled(base, slope, np.zeros(())), offset, np.zeros(()))

    def scaled(self, z: Affine, k: np.ndarray, uk: np.ndarray) -> Affine:
        k, uk = (np.broadcast_to(v, z.shape).reshape(-1) for v in (k, uk))
        a, ua = z.matrix(self.widths[z.layer])
        a, ua = times(a, ua, k[:, None], uk[:, None])
        return Affine(z.layer, z.shape, None, a, *self.swap(times(z.c, z.uc, k, uk), ua))

    @staticmethod
    def swap(pair, ua):
        return pair[0], ua, pair[1]

    def shifted(self, z: Affine, k: np.ndarray, uk: np.ndarray) -> Affine:
        k, uk = (np.broadcast_to(v, z.shape).reshape(-1) for v in (k, uk))
        c, uc = plus(z.c, z.uc, k, uk)
        return Affine(z.layer, z.shape, z.pick, z.a, c, z.ua, uc)

    def take(self, z: Affine, index: np.ndarray) -> Affine:
        """The entries at flat positions `index` (any shape)."""
        flat = index.reshape(-1)
        pick = None if z.pick is None else z.pick[flat]
        a, ua = (None, None) if z.a is None or z.ua is None else (z.a[flat], z.ua[flat])
        return Affine(z.layer, index.shape, pick, a, z.c[flat], ua, z.uc[flat])

    def join(self, parts: list[Affine], shape: tuple[int, ...], index: np.ndarray) -> Affine:
        """Affine maps of one layer stacked, then reordered by `index`."""
        need(len({p.layer for p in parts}) == 1, "values of different layers are joined: not a chain")
        c, uc = (np.concatenate([getattr(p, k) for p in parts]) for k in ("c", "uc"))
        if all(p.pick is not None for p in parts):
            pick = np.concatenate([p.pick for p in parts if p.pick is not None])
            return self.take(Affine(parts[0].layer, c.shape, pick, None, c, None, uc), index.reshape(shape))
        pairs = [p.matrix(self.widths[p.layer]) for p in parts]
        a, ua = (np.concatenate([p[i] for p in pairs]) for i in (0, 1))
        return self.take(Affine(parts[0].layer, c.shape, None, a, c, ua, uc), index.reshape(shape))

    def right_product(self, z: Affine, w: np.ndarray, uw: np.ndarray) -> Affine:
        """z[..., k] @ w[k, m]."""
        k, m = w.shape
        lead = z.shape[:-1]
        rows, width = math.prod(lead), self.widths[z.layer]
        need(rows * m * width <= MAX_EXACT, "the affine map is too large to write out")
        c, uc = np.zeros(rows * m), np.zeros(rows * m)
        if np.any(z.c != 0):
            c = dot(z.c.reshape(rows, k), w).reshape(-1)
        if z.pick is not None and all(len(set(p)) == k for p in z.pick.reshape(rows, k).tolist()):
            pick = z.pick.reshape(rows, k)
            a, ua = np.zeros((rows, m, width), dtype=w.dtype), np.zeros((rows, m, width))
            if w.dtype == object:
                a[:] = fmpq(0)
            for r in range(rows):
                a[r][:, pick[r]], ua[r][:, pick[r]] = w.T, uw.T
        else:
            dense, _ = z.matrix(width)
            a = np.stack([dot(w.T, block) for block in dense.reshape(rows, k, width)])
            ua = np.zeros(a.shape)
        return Affine(z.layer, (*lead, m), None, a.reshape(rows * m, width), c, ua.reshape(rows * m, width), uc)

    def run(self) -> Chain:
        live = reachable(self.g)
        for v in live:
            self.values[v] = self.step(v, self.g.nodes[v])
        outputs: list[Affine] = []
        for v in self.g.outputs:
            e = self.values[v]
            need(isinstance(e, Expression), "an output does not depend on the input")
            assert isinstance(e, Expression)
            outputs.append(self.affine(e))
        total = sum(len(z.c) for z in outputs)
        z = self.join(outputs, (total,), np.arange(total))
        need(z.layer == len(self.layers), "an output is taken before the last layer: not a chain")
        a, ua = z.matrix(self.widths[-1])
        self.layers.append(Layer(a, z.c, ua, z.uc, None))
        return Chain(self.layers)

    def step(self, v: int, node: Node) -> Expression | Constant:
        args = [self.values[i] for i in node.args]
        if node.op == "input":
            before = sum(math.prod(self.g.shape(i)) for i in self.g.inputs[: node.attrs[0]])
            n = math.prod(self.g.shape(v))
            zero = np.zeros(n)
            return Expression(X, Affine(0, self.g.shape(v), before + np.arange(n), None, zero, None, zero))
        if node.op == "array":
            array = self.g.arrays[node.attrs[0]]
            need(
                array.size <= MAX_EXACT and np.all(np.isfinite(array)), f"{node.attrs[0][:80]}: not finite or too large"
            )
            stored = array.dtype.kind == "f"
            dtype = self.model.dtypes.get(node.attrs[0], array.dtype.name)
            ulp = unit_in_last_place(array, dtype) if stored else np.zeros(array.shape)
            return Constant(array.astype(np.float64), ulp)
        if node.op == "lit":
            value = np.array(float.fromhex(node.attrs[0]))
            need(np.isfinite(value), "an infinite constant")
            return Constant(value, np.zeros(()))
        if node.op in MOVES:
            (e,) = args
            if isinstance(e, Constant):
                return Constant(apply_move(node, e.value), apply_move(node, e.ulp))
            shape = self.g.shape(node.args[0])
            index = apply_move(node, np.arange(math.prod(shape)).reshape(shape))
            return Expression(e.tree, self.moved(e.base, index, v, node.args[0]), e.size)
        if node.op == "map":
            return self.map(node, args[0])
        if node.op in ("add", "mul"):
            return self.combine(node.op, node, args)
        if node.op in ("max", "min", "compare", "where"):
            return self.pointwise(node, args)
        if node.op == "matmul":
            return self.matmul(node, args)
        if node.op == "cat":
            return self.concatenated(args, node.attrs[0], self.g.shape(v))
        if node.op == "reduce" and isinstance(args[0], Expression):
            kind, axes = node.attrs
            return self.total(args[0], kind, axes, self.g.shape(v))
        raise Reject(f"not a chain: {self.g.notes.get(v, node.op)}")

    def concatenated(self, args: list, axis: int, shape: tuple[int, ...]) -> Expression:
        """Values side by side; what is the same activation of each is that activation of all."""
        need(all(isinstance(e, Expression) for e in args), "a constant is concatenated")
        bare = [self.bared(e) for e in args]
        if len({e.tree for e in bare}) == 1:
            tree, parts = bare[0].tree, [e.base for e in bare]
        else:
            tree, parts = X, [self.affine(e) for e in args]
        sizes = np.cumsum([0] + [len(p.c) for p in parts])
        blocks = [np.arange(s, s + len(p.c)).reshape(p.shape) for s, p in zip(sizes, parts, strict=False)]
        return Expression(tree, self.join(parts, shape, np.concatenate(blocks, axis)), max(e.size for e in bare))

    def bared(self, e: Expression) -> Expression:
        """f(slope z + offset) as f of another affine map."""
        if e.tree == X or e.tree[0] != "map" or e.tree[3] == X:
            return e
        inner = self.affine_tree(e.tree[3], e.base)
        return e if inner is None else Expression((*e.tree[:3], X), inner, e.size)

    def total(self, e: Expression, kind: str, axes: tuple[int, ...], shape: tuple[int, ...]) -> Expression:
        """A sum or a mean over axes, as a product with a column of ones."""
        need(kind in ("sum", "mean"), f"{kind} over an axis: not a chain")
        z = self.affine(e)
        index = np.moveaxis(np.arange(len(z.c)).reshape(z.shape), axes, range(-len(axes), 0))
        count = math.prod(z.shape[a] for a in axes)
        rows = self.take(z, index.reshape(-1, count))
        out = self.right_product(rows, np.ones((count, 1)), np.zeros((count, 1)))
        if kind == "mean":
            out = self.scaled(out, np.array(fmpq(1, count), dtype=object), np.zeros(()))
        out.shape = shape
        return Expression(X, out)

    def moved(self, base: Affine, index: np.ndarray, v: int, source: int) -> Affine:
        key = (id(base), index.shape, index.tobytes())
        if key not in self.moves:
            self.moves[key] = self.take(base, index)
            self.keep.append(base)
        return self.moves[key]

    def map(self, node: Node, e: Expression | Constant) -> Expression | Constant:
        function, *parameters = node.attrs
        if isinstance(e, Expression):
            need(e.size < 300, "an activation built of too many parts")
            return Expression(("map", function, tuple(parameters), e.tree), e.base, e.size + 1)
        if function == "neg":
            return Constant(-e.value, e.ulp)
        values = [exact_value(function, tuple(parameters), rational(x)) for x in e.value.reshape(-1)]
        need(all(x is not None for x in values), f"{function} of a constant is not rational")
        out = np.empty(e.value.shape, dtype=object)
        out.reshape(-1)[:] = values
        return Constant(out, np.zeros(out.shape))

    def pointwise(self, node: Node, args: list) -> Expression:
        """A comparison, choice or extreme of expressions of one base and of numbers: part of an activation."""
        bases = [e.base for e in args if isinstance(e, Expression)]
        need(bases and all(b is bases[0] for b in bases), f"{node.op} of different values: not a chain")
        need(node.shape == bases[0].shape, f"{node.op} that spreads a value: not a chain")
        trees = []
        for e in args:
            need(isinstance(e, Expression) or e.value.size == 1, f"{node.op} with many numbers: not a chain")
            trees.append(e.tree if isinstance(e, Expression) else ("lit", str(rational(e.value.reshape(-1)[0]))))
        size = sum(e.size for e in args if isinstance(e, Expression)) + 1
        need(size < 300, "an activation built of too many parts")
        ordered = sorted(trees, key=repr) if node.op in ("max", "min") else trees
        return Expression((node.op, *node.attrs, *ordered), bases[0], size)

    def combine(self, op: str, node: Node, args: list) -> Expression | Constant:
        x, y = args
        rule = plus if op == "add" else times
        if isinstance(x, Constant) and isinstance(y, Constant):
            return Constant(*rule(x.value, x.ulp, y.value, y.ulp))
        if isinstance(x, Constant):
            x, y = y, x
        assert isinstance(x, Expression)
        if isinstance(y, Expression):
            if x.base is y.base:
                need(x.size + y.size < 300, "an activation built of too many parts")
                return Expression((op, *sorted((x.tree, y.tree), key=repr)), x.base, x.size + y.size + 1)
            need(op == "add", "a product of two different values: not a chain")
            p, q = self.affine(x), self.affine(y)
            p, q = self.affine(x), self.affine(y)
            need(
                p.layer == q.layer and p.shape == q.shape, "values of different layers or shapes are added: not a chain"
            )
            (a, ua), (b, ub) = (z.matrix(self.widths[z.layer]) for z in (p, q))
            a, ua = plus(a, ua, b, ub)
            return Expression(X, Affine(p.layer, p.shape, None, a, *self.swap(plus(p.c, p.uc, q.c, q.uc), ua)))
        stored = self.g.nodes[node.args[1] if args[1] is y else node.args[0]].op == "array"
        single = stored and y.value.ndim > 0 and x.base.shape[-1:] == (1,)  # more likely a bias or weight of width one
        slope = op == "mul" and np.all(y.value == y.value.reshape(-1)[:1]) and slopes_only(self.g, self.users, node)
        if ((y.value.size == 1 and not single) or slope) and node.shape == x.base.shape:
            lit = ("lit", str(rational(y.value.reshape(-1)[0])))
            if op == "mul" and lit[1] == "1":  # softplus with beta = 1, say
                return x
            return Expression((op, *sorted((x.tree, lit), key=repr)), x.base, x.size + 1)
        z = self.affine(x)
        if node.shape != z.shape:
            assert node.shape is not None
            index = np.broadcast_to(np.arange(len(z.c)).reshape(z.shape), node.shape)
            z = self.take(z, index)
        return Expression(X, (self.shifted if op == "add" else self.scaled)(z, y.value, y.ulp))

    def matmul(self, node: Node, args: list) -> Expression | Constant:
        x, y = args
        if isinstance(x, Constant) and isinstance(y, Constant):
            need(x.value.ndim == y.value.ndim == 2, "a product of constant stacks")
            return Constant(dot(x.value, y.value), np.zeros((x.value.shape[0], y.value.shape[1])))
        need(isinstance(x, Constant) != isinstance(y, Constant), "a product of two values: not a chain")
        constant, other = (x, y) if isinstance(x, Constant) else (y, x)
        w, uw = constant.value, constant.ulp
        w, uw = (v.reshape(v.shape[-2:]) if math.prod(v.shape[:-2]) == 1 else v for v in (w, uw))
        need(w.ndim == 2, "a product with a stack of matrices: not a chain")
        assert isinstance(other, Expression)
        assert node.shape is not None
        z = self.affine(other)
        if constant is y:
            out = self.right_product(z, w, uw)
        else:  # w z = (z^T w^T)^T
            turned = self.turn(z)
            out = self.turn(self.right_product(turned, w.T, uw.T))
        out.shape = node.shape
        return Expression(X, out)

    def turn(self, z: Affine) -> Affine:
        return self.take(z, np.arange(len(z.c)).reshape(z.shape).swapaxes(-1, -2))


def reachable(g: Graph) -> list[int]:
    """The values that the outputs need, in order."""
    seen, stack = set(), list(g.outputs)
    while stack:
        v = stack.pop()
        if v not in seen:
            seen.add(v)
            stack += g.nodes[v].args
    return sorted(seen)


def per_sample(chain: Chain, batch: int) -> Chain:
    """The chain of one sample, if every layer acts on `batch` samples alike and apart: W = I (x) W', b = 1 (x) b'."""
    layers = []
    for layer in chain.layers:
        (m, n), b = layer.weight.shape, batch
        need(m % b == 0 and n % b == 0, "the layers do not split into samples")
        w = layer.weight.reshape(b, m // b, b, n // b)
        bias = layer.bias.reshape(b, m // b)
        first, rest = w[0, :, 0, :], bias[0]
        for i in range(b):
            need(np.all(bias[i] == rest), "samples are treated differently")
            for j in range(b):
                need(np.all(w[i, :, j, :] == (first if i == j else 0)), "samples are mixed")
        ulps = layer.weight_ulp.reshape(b, m // b, b, n // b)[0, :, 0, :], layer.bias_ulp.reshape(b, m // b)[0]
        layers.append(Layer(first, rest, *ulps, layer.activation))
    return Chain(layers)


def chain_of(graph: Graph, model: Model) -> Chain:
    """The chain of a core graph (Reject if it is none); a traced batch of samples is reduced to one sample."""
    chain = Builder(graph, model).run()
    shapes = [s for _, s in model.inputs]
    lead = {s[0] for s in shapes if len(s) > 1}
    if model.batched is not False and len(lead) == 1 and all(len(s) > 1 for s in shapes) and (batch := lead.pop()) > 1:
        try:
            return per_sample(chain, batch)
        except Reject:
            need(model.batched is None, "the samples of a batch are not treated alike")
    return chain
