r"""rho-modifications: other networks with the same function from an affine symmetry of the activation.

Let ``sum_s alpha_s rho(beta_s t + gamma_s) = zeta + kappa t``, let tau be an affine function of nodes, and let the
units v_s have pre-activations ``beta_s tau + gamma_s`` (units that are missing are created with weight 0). Then for
every reader c (a unit or an output) and every number lambda_c,

    omega_{c, v_s} -= lambda_c alpha_s,  omega_{c, p} += lambda_c kappa tau_p,  bias_c += lambda_c (zeta + kappa tau_0)

changes nothing in the function, since ``lambda_c (sum_s alpha_s v_s - zeta - kappa tau) = 0`` was subtracted. Units of
the symmetry that nothing reads afterwards are removed. All numbers are exact. Networks joined by such steps are called
rho-isomorphic. Reference: V. Vlacic and H. Boelcskei, Adv. Math. 376 (2021); the term kappa t is an extension.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fiberscope.affine.dag import DagNetwork, Row, Unit
from fiberscope.affine.identity_proof import AffineSymmetry, holds
from fiberscope.affine.scalar import Exact, exact, over, plus, text, times
from fiberscope.errors import InputError

Reader = tuple[str, int]
"""``("unit", id)`` or ``("output", number)``."""


@dataclass
class _Affine:
    """A row in the making: ``{node id: weight}`` and a bias."""

    weights: dict[int, Exact]
    bias: Exact

    def add(self, node: int, amount: Exact) -> None:
        total = plus(self.weights.get(node, 0.0), amount)
        if total == 0:
            self.weights.pop(node, None)
        else:
            self.weights[node] = total


@dataclass
class Rewriter:
    """A network under modification. Nodes keep their ids: the node numbers at the start, then fresh ones.

    >>> net = DagNetwork.from_layers([([[2.0]], [1.0]), ([[3.0]], None)])
    >>> work = Rewriter(net)
    >>> work.modify(1, AffineSymmetry.of([(1, 1, 0), (1, -1, 0)]))  # the unit is turned round
    [2]
    >>> work.network().units[0].row, work.network().outputs[0].weights
    (Row(parents=(0,), weights=(-2.0,), bias=-1.0), (-3.0,))
    """

    start: DagNetwork
    units: dict[int, tuple[str, _Affine]] = field(init=False)
    outputs: list[_Affine] = field(init=False)
    steps: list[dict[str, Any]] = field(init=False, default_factory=list)
    fresh: int = field(init=False)

    def __post_init__(self) -> None:
        n_in = self.start.n_inputs
        self.units = {
            n_in + i: (unit.activation, _Affine(_nonzero(unit.row), unit.row.bias))
            for i, unit in enumerate(self.start.units)
        }
        self.outputs = [_Affine(_nonzero(row), row.bias) for row in self.start.outputs]
        self.fresh = n_in + len(self.start.units)

    def readers(self, node: int) -> dict[Reader, Exact]:
        """Who reads a node, and with which weight."""
        found: dict[Reader, Exact] = {
            ("unit", u): row.weights[node] for u, (_, row) in self.units.items() if node in row.weights
        }
        return found | {("output", k): row.weights[node] for k, row in enumerate(self.outputs) if node in row.weights}

    def modify(
        self, unit: int, symmetry: AffineSymmetry, *, term: int = 0, factors: Mapping[Reader, Any] | None = None
    ) -> list[int]:
        """One modification at a unit, which plays the given term of the symmetry; returns the ids of created units.

        ``factors`` gives lambda for some readers; by default the unit's own readers stop reading it, so that it
        disappears. Errors: InputError when the identity is not proved for the activation, for an unknown id, or when a
        reader is one of the unit's ancestors.
        """
        if unit not in self.units:
            raise InputError(f"node {unit} is not a unit of this network")
        name, row = self.units[unit]
        alpha, beta, gamma = symmetry.terms[term]
        tau = _Affine({p: over(w, beta) for p, w in row.weights.items()}, over(plus(row.bias, _minus(gamma)), beta))
        if factors is None:
            factors = {reader: over(w, alpha) for reader, w in self.readers(unit).items()}
        return self.modify_at(name, tau.weights, tau.bias, symmetry, factors)

    def modify_at(
        self,
        activation: str,
        weights: Mapping[int, Any],
        bias: Any,
        symmetry: AffineSymmetry,
        factors: Mapping[Reader, Any],
    ) -> list[int]:
        """One modification at any affine function ``tau = sum weights[node] node + bias``; see `modify`."""
        if not holds(self.start.law(activation), symmetry):
            raise InputError(f"{activation}: this identity is not proved, so no network may be changed by it")
        tau = _Affine({p: exact(w) for p, w in weights.items() if w != 0}, exact(bias))
        chosen = {reader: exact(value) for reader, value in factors.items() if value != 0}
        self._refuse_cycles(tau, chosen)
        named = {self._key(name, row): u for u, (name, row) in reversed(self.units.items())}
        members, created = [], []
        for _, beta, gamma in symmetry.terms:
            row = _Affine({p: times(w, beta) for p, w in tau.weights.items()}, plus(times(tau.bias, beta), gamma))
            found = named.get(self._key(activation, row))
            if found is None:
                found, self.fresh = self.fresh, self.fresh + 1
                self.units[found] = (activation, row)
                created.append(found)
            members.append(found)
        for (kind, number), factor in chosen.items():
            reader = self.units[number][1] if kind == "unit" else self.outputs[number]
            for member, (alpha, _, _) in zip(members, symmetry.terms, strict=True):
                reader.add(member, _minus(times(factor, alpha)))
            slope = times(factor, symmetry.linear)
            for p, w in tau.weights.items():
                reader.add(p, times(slope, w))
            reader.bias = plus(reader.bias, plus(times(factor, symmetry.constant), times(slope, tau.bias)))
        removed = [u for u in dict.fromkeys(members) if not self.readers(u)]
        for u in removed:
            del self.units[u]
        self.steps.append(_step(activation, symmetry, tau, members, chosen, removed))
        return [u for u in created if u not in removed]

    def _key(self, name: str, row: _Affine) -> tuple[Any, ...]:
        return name, tuple(sorted((p, text(w)) for p, w in row.weights.items())), text(row.bias)

    def _refuse_cycles(self, tau: _Affine, factors: Mapping[Reader, Any]) -> None:
        above = set(tau.weights)
        stack = list(above)
        while stack:
            node = stack.pop()
            if node >= self.start.n_inputs and node not in self.units:
                raise InputError(f"node {node} does not exist")
            for p in self.units[node][1].weights if node in self.units else ():
                if p not in above:
                    above.add(p)
                    stack.append(p)
        for kind, number in factors:
            known = number in self.units if kind == "unit" else 0 <= number < len(self.outputs)
            if not known:
                raise InputError(f"{kind} {number} does not exist")
            if kind == "unit" and number in above:
                raise InputError(f"unit {number} is an ancestor of the units of this symmetry: it cannot read them")

    def order(self) -> list[int]:
        """The ids in topological order, old ones as early as they can be."""
        left = {u: {p for p in row.weights if p in self.units} for u, (_, row) in self.units.items()}
        out: list[int] = []
        while left:
            ready = min(u for u, parents in left.items() if not parents)
            out.append(ready)
            del left[ready]
            for parents in left.values():
                parents.discard(ready)
        return out

    def network(self) -> DagNetwork:
        """The network as it is now, with exact weights."""
        order = self.order()
        number = {u: self.start.n_inputs + k for k, u in enumerate(order)} | {p: p for p in range(self.start.n_inputs)}

        def row(of: _Affine) -> Row:
            return Row.of({number[p]: w for p, w in of.weights.items()}, of.bias)

        units = tuple(Unit(self.units[u][0], row(self.units[u][1])) for u in order)
        outputs = tuple(row(output) for output in self.outputs)
        return DagNetwork(self.start.n_inputs, units, outputs, laws=self.start.laws, precision=self.start.precision)

    def certificate(self) -> dict[str, Any]:
        """The steps so far as plain JSON data, for `fiberscope.affine.isomorphism.check`."""
        return {"format": "rho-isomorphism", "version": 1, "steps": list(self.steps), "order": self.order()}


def _step(
    activation: str,
    symmetry: AffineSymmetry,
    tau: _Affine,
    members: list[int],
    factors: Mapping[Reader, Exact],
    removed: list[int],
) -> dict[str, Any]:
    return {
        "activation": activation,
        "terms": [[text(v) for v in term] for term in symmetry.terms],
        "constant": text(symmetry.constant),
        "linear": text(symmetry.linear),
        "tau": {"weights": {str(p): text(w) for p, w in sorted(tau.weights.items())}, "bias": text(tau.bias)},
        "units": list(members),
        "readers": [[kind, number, text(factor)] for (kind, number), factor in factors.items()],
        "removed": list(removed),
    }


def _nonzero(row: Row) -> dict[int, Exact]:
    return {p: w for p, w in zip(row.parents, row.weights, strict=True) if w != 0}


def _minus(value: Exact) -> Exact:
    return times(-1.0, value)
