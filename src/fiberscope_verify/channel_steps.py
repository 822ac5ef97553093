"""Method "channels": b is a with units of hidden spaces taken out of any graph: convolutions, branches, sums.

Steps: {"step": "units", "weight", "unit", "scale"}, one per weight of a whose outputs are not b's one by one: output i
of a's weight is scale_i times output unit_i of b's (-1: it has none); ``scale`` is a list of texts p/q, or null.
{"step": "sums", "weight", "row", "of", "times"}: output row_i of a's weight (-1 above) is the sum of times_i times
output of_i of b's over all entries of its own.
{"step": "steady", "map", "axis", "units"}: these units are constant after a's map number ``map`` (counted from 0 in
the order of the graph), for every input of the domain, as intervals show. {"step": "linear", ...}, the same keys: the
map is linear at these units, for every input of the domain. {"step": "split", ..}, before these, narrows the intervals
on the parts of a box: see `channel_splits`.
All else follows: `channels`, `channel_sums`, `channel_moves` hold the rules, `channel_match` the order.
"""

from __future__ import annotations

import numpy as np

from .certificate import Certificate
from .chain import reachable
from .channel_claims import Bounds, Known, read_claims, read_linear, read_sizes, read_steady
from .channel_combinations import Pieces, mapped, transferred
from .channel_constants import Constants
from .channel_match import Matcher, Pair, ordered
from .channel_moves import concatenated, cumulated, move, padded, paired, pooled, reduced
from .channel_near import NearConstants, near_map, near_pointwise, tidied
from .channel_settle import settled
from .channel_slack import Use
from .channel_splits import KINDS
from .channel_sums import Claim, convolution, matrix
from .channels import CONSTANT, ONE, Operand, Relation, clean, each, map_rule, pointwise
from .core import MOVES, Graph, Node
from .exact import rational
from .lower import lower
from .model import Model
from .report import Reject, need

Linear = dict[int, tuple[int, Pieces]]
"""Value of a -> axis, and unit -> the factor of the linear piece that it is in on the whole domain."""


def check_channels(certificate: Certificate, a: Model, b: Model, checked: list[str]) -> Walk:
    """All steps of the method; raises Reject where one fails. With strength "bound" deviations are yet to be summed."""
    claims = read_claims(certificate, a)
    sizes = read_sizes(certificate, a)
    graph, other = lower(a, sizes), lower(b, sizes)
    if sizes is not None:
        checked.append(f"inputs of the shapes {str(sizes)[:200]}")
    walk = Walk(graph, other, claims, *facts(certificate, graph, a), slack=certificate.strength == "bound")
    walk.run()
    told = sum(isinstance(s, dict) and s.get("step") in KINDS for s in certificate.steps)
    if told:
        checked.append(f"{told} steps that narrow ranges")
    checked.append(f"{len(claims)} weights lose units; {walk.count} operations followed")
    unused = set(claims) - walk.met
    need(not unused, f"the weight {str(sorted(unused)[:1])[:80]} writes no units")
    if not walk.slack:
        checked.append("the outputs are the same")
    return walk


def facts(certificate: Certificate, graph: Graph, model: Model, known: dict | None = None) -> tuple[Known, Linear]:
    """What ranges show of a, where steps say so; ``known``: these ranges, derived before."""
    bounds = Bounds(certificate, graph, model, known)
    return read_steady(certificate, graph, bounds), read_linear(certificate, graph, bounds)


class Walk:
    """The relations of all values of a, in order; ``known`` holds units of a that are constant, ``linear`` those that
    a map treats linearly.

    With ``slack`` relations may hold nearly: ``uses`` (per value of a) and ``ends`` (per output) keep by how much.
    """

    def __init__(
        self,
        a: Graph,
        b: Graph,
        claims: dict[str, Claim],
        known: Known | None = None,
        linear: Linear | None = None,
        *,
        slack: bool = False,
    ):
        self.a, self.b, self.claims, self.known, self.linear = a, b, claims, known or {}, linear or {}
        self.constants = Constants(a), Constants(b)
        self.near = tuple(NearConstants(g, c) for g, c in zip((a, b), self.constants, strict=True))
        self.slack, self.use = slack, None if not slack else Use()
        self.uses: dict[int, Use] = {}
        self.ends: list[tuple[int, Use]] = []
        self.matcher = Matcher(a, b)
        self.relations: dict[int, Relation | None] = {}
        self.met: set[str] = set()
        self.count = 0

    def run(self) -> None:
        same_inputs(self.a, self.b)
        for v in reachable(self.a):
            if v not in self.matcher.data_a:
                continue
            if self.a.nodes[v].op == "input":
                self.relations[v] = None
                continue
            pair = self.matcher.match(v)
            node = self.a.nodes[v]
            if self.slack:
                self.use = self.uses[v] = Use()
            if pair is None:
                raise Reject(f"the second network has no {node.op} {str(node.attrs)[:60]} like value {v} of the first")
            try:
                relation = self.informed(v, self.follow(pair))
                if relation is not None and self.use is not None:
                    relation = tidied(relation, self.matcher.image[v], self.use)
                if relation is not None:
                    relation = clean(relation, self.b.shape(self.matcher.image[v])[relation.axis])
                self.relations[v] = relation
                self.fits(v)
            except Reject as error:
                raise Reject(f"at {node.op} {str(node.attrs)[:60]}, value {v}: {error}") from None
            self.count += 1
        need(len(self.a.outputs) == len(self.b.outputs), "the networks have different outputs")
        for v, u in zip(self.a.outputs, self.b.outputs, strict=True):
            self.output(v, u)

    def informed(self, v: int, relation: Relation | None) -> Relation | None:
        """A relation with the units that are known to be constant."""
        if relation is None or v not in self.known or self.known[v][0] != relation.axis:
            return relation
        constants = {i: rational(c) for i, c in self.known[v][1].items()}
        found = each(relation, lambda i, u, s, c: (CONSTANT, ONE, constants[i]) if i in constants else (u, s, c))
        return found.knowing({i: s for i, s in relation.sums.items() if i not in constants})

    def output(self, v: int, u: int) -> None:
        if v not in self.matcher.data_a or u not in self.matcher.data_b:
            need(v not in self.matcher.data_a and u not in self.matcher.data_b, "an output depends on no input")
            need(self.constant(v, u), "a constant output differs")
            return
        image = self.matcher.image[v]
        chain = next((c for at, c in self.matcher.above(u) if at == image), None)
        if chain is None:
            raise Reject("the networks have different outputs")
        if self.slack:
            self.use = Use()
            self.ends.append((v, self.use))
        relation = self.along(self.relations[v], chain, v)
        if self.use is not None:
            relation = settled(Node("output", (), (), None), relation, v, u, self.use, alone=False)
        relation = None if relation is None else clean(relation, self.b.shape(u)[relation.axis])
        need(relation is None and self.a.shape(v) == self.b.shape(u), "an output of the network is not read off b's")

    def fits(self, v: int) -> None:
        """Shapes agree except along the axis that is cut."""
        relation, shape, other = self.relations[v], self.a.shape(v), self.b.shape(self.matcher.image[v])
        need(len(shape) == len(other), "tensors of different ranks")
        axis = -1 if relation is None else relation.axis
        need(all(p == q or i == axis for i, (p, q) in enumerate(zip(shape, other, strict=True))), "other axes differ")
        if relation is not None:
            need(len(relation.unit) == shape[axis], "a relation of another length")
            named = [relation.unit, *(list(s.terms) for s in relation.sums.values())]
            need(
                all(bool(np.all(np.array(u) < other[axis])) for u in named), "a relation with units that are not there"
            )

    def along(self, relation: Relation | None, chain: tuple[int, ...], of: int) -> Relation | None:
        """From a value of b to one that is affine in it: sums and products with constants that only b has.

        ``of``: the value of a that it stands for."""
        for u in chain:
            node = self.b.nodes[u]
            below, at = ordered(self.b, u, self.matcher.data_b)
            neutral = np.array(0.0 if node.op == "add" else 1.0)
            shape = self.b.shape(below)
            data = (
                Operand(shape, shape, relation)
                if relation is None
                else Operand(self.widened(relation, shape), shape, relation)
            )
            if self.use is not None:
                one = neutral, np.zeros(())
                number = self.near[1].value(at)
                relation = near_pointwise(node.op, data, one, number, len(shape), self.use, below, of)
                continue
            y = self.constants[1].value(at)
            relation = pointwise(node.op, [data, Operand((), y.shape, None, neutral, y)], len(shape))
        return relation

    @staticmethod
    def widened(relation: Relation | None, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a's value, given b's."""
        if relation is None:
            return shape
        return tuple(len(relation.unit) if i == relation.axis else n for i, n in enumerate(shape))

    def follow(self, pair: Pair) -> Relation | None:
        """The relation of one value."""
        node = self.a.nodes[pair.a]
        args = ordered(self.a, pair.a, self.matcher.data_a)
        data = [u for u in args if u in self.matcher.data_a]
        if pair.b is None:  # a product or sum with stored numbers that only a has
            (below,) = data
            at = next(u for u in args if u not in self.matcher.data_a)
            relation, shape = self.relations[below], self.a.shape(below)
            there = self.b.shape(self.matcher.image[below])
            neutral = np.array(0.0 if node.op == "add" else 1.0)
            if self.use is not None:
                data_of, one = Operand(shape, there, relation), (neutral, np.zeros(()))
                number, value = self.near[0].value(at), self.matcher.image[below]
                return near_pointwise(node.op, data_of, number, one, len(shape), self.use, value)
            x = self.constants[0].value(at)
            return pointwise(
                node.op, [Operand(shape, there, relation), Operand(x.shape, (), None, x, neutral)], len(shape)
            )
        other = self.b.nodes[pair.b]
        others = ordered(self.b, pair.b, self.matcher.data_b)
        need(len(set(data)) == len(data) or len(set(pair.chains)) == 1, "one value stands for two")
        entering = {u: self.along(self.relations[u], chain, u) for u, chain in zip(data, pair.chains, strict=True)}
        if self.use is not None:
            for u, w in zip(args, others, strict=True):
                if u in entering:
                    near = settled(node, entering[u], u, w, self.use, alone=len(data) == 1)
                    entering[u] = None if near is None else clean(near, self.b.shape(w)[near.axis])
        if node.op == "map" and self.use is None:
            return self.mapped(pair.a, node, entering[args[0]])
        return self.rule(pair.a, node, other, args, others, entering)

    def mapped(self, v: int, node: Node, relation: Relation | None) -> Relation | None:
        """An elementwise function; sums of several units pass where it is linear."""
        found = map_rule(relation, node.attrs[0], node.attrs[1:])
        if relation is None or found is None or not relation.sums:
            return found
        first = self.pieces(v, relation)
        second = transferred(relation, node.attrs[0], first)
        return found.knowing(mapped(relation, node.attrs[0], node.attrs[1:], first, second))

    def pieces(self, v: int, relation: Relation | None) -> Pieces:
        """Units of a map of a that it treats linearly."""
        if relation is None or not relation.sums:
            return {}
        axis, found = self.linear.get(v, (relation.axis, {}))
        need(axis == relation.axis, "a step about another axis than the one that is cut")
        return found

    def rule(
        self, v: int, node: Node, other: Node, args: tuple, others: tuple, entering: dict[int, Relation | None]
    ) -> Relation | None:
        """One operation that both networks have, value v of a."""
        shapes, there = [self.a.shape(u) for u in args], [self.b.shape(w) for w in others]
        if node.op in MOVES:
            return move(node, other, entering[args[0]], shapes[0], there[0])
        if node.op == "map":
            assert self.use is not None
            return near_map(node, entering[args[0]], others[0], self.use, self.pieces(v, entering[args[0]]))
        if node.op in ("add", "mul", "max", "min") and self.use is not None and args[1] not in entering:
            if entering[args[0]] is None and self.constant(args[1], others[1]):
                return None
            data_of = Operand(shapes[0], there[0], entering[args[0]])
            x, y = self.near[0].value(args[1]), self.near[1].value(others[1])
            return near_pointwise(node.op, data_of, x, y, len(node.shape or ()), self.use, others[0])
        if node.op in ("add", "mul", "max", "min"):
            return pointwise(node.op, self.operands(args, others, entering), len(node.shape or ()))
        if node.op == "conv":
            need(args[0] in entering and args[1] not in entering, "a kernel that is computed from the input")
            claim, wa, wb = self.weights(args[1], others[1])
            return convolution(node, other, entering[args[0]], wa, wb, claim, self.use)
        if node.op == "matmul":
            return self.product(args, others, entering, other)
        rules = {"pad": padded, "window": pooled, "cumsum": cumulated}
        if node.op in rules:
            return rules[node.op](node, other, entering[args[0]])
        if node.op == "reduce":
            return reduced(node, other, entering[args[0]], shapes[0])
        if node.op == "cat":
            for u, w in zip(args, others, strict=True):
                need(u in entering or self.constant(u, w), "joined constants differ")
            return concatenated(node, other, [entering.get(u) for u in args], shapes, there)
        need(node.attrs == other.attrs, f"the networks differ in the settings of {node.op}")
        for u, w in zip(args, others, strict=True):
            need(entering[u] is None if u in entering else self.constant(u, w), f"units are cut in front of {node.op}")
        return None

    def product(self, args: tuple, others: tuple, entering: dict[int, Relation | None], other: Node) -> Relation | None:
        """x @ W, W @ x, or a product of two computed tensors."""
        left, right = (u in entering for u in args)
        ranks = [len(self.a.shape(u)) for u in args]
        if left and right:
            p, q = (entering[u] for u in args)
            if p is not None or q is not None:
                inner = ranks[0] - 1, ranks[1] - 2
                paired(p, q, inner, (self.a.shape(args[0])[-1], self.b.shape(others[0])[-1]))
            return None
        w = 1 if left else 0
        relation = entering[args[1 - w]]
        if relation is None and self.constant(args[w], others[w]):
            return None
        claim, wa, wb = self.weights(args[w], others[w])
        assert other.shape is not None
        return matrix(relation, ranks[1 - w], wa, wb, claim, other.shape, left=left, use=self.use)

    def weights(self, u: int, w: int) -> tuple[Claim | None, np.ndarray, np.ndarray]:
        """Both weights, and what is claimed of the outputs of a's."""
        at = u
        while self.a.nodes[at].op in MOVES:
            at = self.a.nodes[at].args[0]
        name = self.a.nodes[at].attrs[0] if self.a.nodes[at].op == "array" else None
        claim = self.claims.get(name) if name is not None else None
        if claim is not None and name is not None:
            self.met.add(name)
        if self.slack:
            (wa, of_a), (wb, of_b) = self.near[0].value(u), self.near[1].value(w)
            need(not np.any(of_a) and not np.any(of_b), "weights that are no stored numbers")
            return claim, wa, wb
        return claim, self.constants[0].value(u), self.constants[1].value(w)

    def operands(self, args: tuple, others: tuple, entering: dict[int, Relation | None]) -> list[Operand]:
        """The arguments of an elementwise operation; constants get their values where something else is cut."""
        cut = any(r is not None for r in entering.values())
        out = []
        for u, w in zip(args, others, strict=True):
            shape, there = self.a.shape(u), self.b.shape(w)
            if u in entering:
                out.append(Operand(shape, there, entering[u]))
            elif not cut and self.constant(u, w):
                out.append(Operand(shape, there))
            else:
                out.append(Operand(shape, there, None, self.constants[0].value(u), self.constants[1].value(w)))
        return out

    def constant(self, u: int, w: int) -> bool:
        """Whether two values that depend on no input are computed alike from the same numbers."""
        stack, seen = [(u, w)], set()
        while stack:
            u, w = stack.pop()
            if (u, w) in seen:
                continue
            seen.add((u, w))
            p, q = self.a.nodes[u], self.b.nodes[w]
            if p.op != q.op or p.shape != q.shape or len(p.args) != len(q.args):
                return False
            if p.op == "array":
                x, y = self.a.arrays[p.attrs[0]], self.b.arrays[q.attrs[0]]
                if x.dtype != y.dtype or x.shape != y.shape or x.tobytes() != y.tobytes():
                    return False
            elif p.attrs != q.attrs:
                return False
            stack += zip(p.args, q.args, strict=True)
        return True


def same_inputs(a: Graph, b: Graph) -> None:
    """Both networks take the same tensors."""
    need(len(a.inputs) == len(b.inputs), "the networks have different inputs")
    for u, v in zip(a.inputs, b.inputs, strict=True):
        kinds = [(g.shape(w), w in g.integral, w in g.boolean) for g, w in ((a, u), (b, v))]
        need(kinds[0] == kinds[1], "the networks have different inputs")
