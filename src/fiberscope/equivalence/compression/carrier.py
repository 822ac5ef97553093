"""Proofs that the carriers of a smaller chain are active on the whole box, raising their constants where needed."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from fiberscope.equivalence.compression.fold import Layers
from fiberscope.equivalence.compression.stable import ACTIVE, Claim, prove

RAISE = (0.0, 2.0**-8, 2.0**-5, 2.0**-2, 1.0)
"""A carrier that is not shown to be active is raised by this part of the range of its bounds, then by more."""


class Carriers:
    """Settles one layer after the other; keeps the claims and the status of each."""

    def __init__(
        self, activations: list[Any], lo: np.ndarray, hi: np.ndarray, *, dtype: type, leaves: int = 4_000
    ) -> None:
        self.activations, self.lo, self.hi, self.dtype, self.leaves = activations, lo, hi, dtype, leaves
        self.claims: list[list[Claim]] = []
        self.count: list[int] = []  # carriers of each layer; they are the last units

    def status(self, made: Layers) -> list[np.ndarray]:
        """What is known of the units of the layers made so far."""
        out = []
        for (_, b), carriers in zip(made, self.count, strict=False):
            here = np.zeros(len(b), dtype=np.int64)
            here[len(b) - carriers :] = ACTIVE
            out.append(here)
        return out

    def settle(self, made: Layers, first: int, rows: np.ndarray, constants: np.ndarray) -> np.ndarray:
        """Constants with which all rows are active on the box. Asked twice about a layer, the last answer counts."""
        from fiberscope_verify.stable import ends_of_units

        layer = len(made)
        del self.claims[layer:], self.count[layer:]
        self.claims.append([])
        self.count.append(len(rows))
        status = self.status(made)
        waiting = np.arange(len(rows))
        base = constants.copy()
        for part in RAISE:
            if not len(waiting):
                break
            chain = checker_chain([*made, (rows, constants)], self.activations)
            low, high, _ = ends_of_units(chain, layer, waiting, status, self.lo[None], self.hi[None])
            if part:
                raised = base[waiting] + np.minimum(part * (high[0] - low[0]), np.maximum(-low[0], 0.0) * (1 + 2**-20))
                constants = constants.copy()
                constants[waiting] = np.nextafter(raised.astype(self.dtype), np.inf).astype(np.float64)
                chain = checker_chain([*made, (rows, constants)], self.activations)
            stop = time.perf_counter() + 20.0
            signs = np.ones(len(waiting), dtype=np.int64)
            for claim in prove(chain, layer, waiting, signs, status, self.lo, self.hi, self.leaves, stop):
                self.claims[layer].append(Claim(layer, claim.units + first, claim.signs, claim.tree))
                waiting = np.setdiff1d(waiting, claim.units)
        if len(waiting):
            raise ArithmeticError("a carrier cannot be kept active")
        return constants


def checker_chain(layers: Layers, activations: list[Any]) -> Any:
    """Plain arrays as the checker would read them, each with its activation, and an output map after the last."""
    from fiberscope_verify.chain import Chain, Layer

    def layer(w: np.ndarray, b: np.ndarray, tree: Any) -> Any:
        return Layer(w, b, np.zeros_like(w), np.zeros_like(b), tree)

    width = len(layers[-1][1])
    hidden = [layer(w, b, tree) for (w, b), tree in zip(layers, activations, strict=False)]
    return Chain([*hidden, layer(np.zeros((1, width)), np.zeros(1), None)])
