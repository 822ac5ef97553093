"""A chain: a network whose function is ``A_L o rho_{L-1} o A_{L-1} o ... o rho_1 o A_1`` with affine ``A_l``.

The affine maps are kept exactly. As long as a map is a stored weight (or its transpose) it is a float64 array,
which holds every stored float exactly, together with the place each entry came from; as soon as arithmetic was
needed to get it (a subtracted input mean, two linear layers in a row) it is computed in rationals.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from fiberscope.numerics.exact import nearest_floats

if TYPE_CHECKING:
    from fiberscope.network import Network


@dataclass(frozen=True, eq=False)
class Source:
    """Where the entries of an array are stored: ``index[i]`` is the flat place in weight ``name``, -1 if nowhere."""

    name: str
    dtype: str
    index: np.ndarray

    def take(self, *keys: np.ndarray) -> Source:
        """The same provenance for the rows (and columns) that ``keys`` select."""
        return replace(self, index=self.index[np.ix_(*keys)])


@dataclass(frozen=True, eq=False)
class Affine:
    """``x -> weight @ x + bias``: weight ``[out, in]``, bias ``[out]``, each float64 (exact) or rationals (object).

    ``inner``: the widths between the linear layers that were composed into it; None while no matrix was met.
    """

    weight: np.ndarray
    bias: np.ndarray
    weight_source: Source | None = None
    bias_source: Source | None = None
    inner: tuple[int, ...] | None = None

    @property
    def exact_in_floats(self) -> bool:
        """Whether float64 holds every entry exactly (true for stored weights)."""
        return self.weight.dtype != object and self.bias.dtype != object

    def floats(self) -> tuple[np.ndarray, np.ndarray]:
        """The nearest float64 weight and bias."""
        w, b = self.weight, self.bias
        return (
            w if w.dtype != object else nearest_floats(w)[0],
            b if b.dtype != object else nearest_floats(b)[0],
        )


@dataclass(frozen=True, eq=False)
class Chain:
    """``layers`` are ``L`` affine maps, ``activations`` the ``L - 1`` elementwise functions between them."""

    layers: tuple[Affine, ...]
    activations: tuple[str, ...]
    memory: dict[str, object] = field(default_factory=dict, repr=False)

    @property
    def widths(self) -> tuple[int, ...]:
        """Input size, hidden widths, output size."""
        return (self.layers[0].weight.shape[1], *(layer.weight.shape[0] for layer in self.layers))

    @property
    def exact_in_floats(self) -> bool:
        """Whether every affine map holds stored numbers only, or float64 numbers that are exact."""
        return all(layer.exact_in_floats for layer in self.layers)

    def floats(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Nearest float64 weights and biases of all layers (computed once)."""
        if "floats" not in self.memory:
            self.memory["floats"] = [layer.floats() for layer in self.layers]
        return self.memory["floats"]  # type: ignore[return-value]

    def run(self, x: np.ndarray) -> np.ndarray:
        """Outputs ``[N, n_out]`` in float64 for inputs ``[N, n_in]``."""
        return self.preactivations(x)[-1]

    def preactivations(self, x: np.ndarray) -> list[np.ndarray]:
        """The value after every affine map, ``[N, width]`` each, in float64."""
        from fiberscope.equivalence.chain_activations import value

        out = []
        with np.errstate(over="ignore", invalid="ignore"):
            for l, (weight, bias) in enumerate(self.floats()):
                x = x @ weight.T + bias
                out.append(x)
                if l < len(self.activations):
                    x = value(self.activations[l], x)
        return out


def chain_of(net: Network) -> Chain | None:
    """The chain of a network, or None when the graph is anything but a chain of understood operations.

    The answer is remembered on the network object. Errors: none; what is not recognised is never guessed.

    >>> chain_of(net).widths                                   # doctest: +SKIP
    (5, 50, 50, 50, 50, 50, 50, 5)
    """
    memory = net.__dict__.setdefault("_equivalence_memory", {})
    if "chain" not in memory:
        from fiberscope.equivalence.chain_extract import extract

        memory["chain"] = extract(net)
    return memory["chain"]


def plain_chain(
    layers: list[tuple[np.ndarray, np.ndarray | None]], activation: str | list[str] = "relu", dtype: str = "float64"
) -> Chain:
    """A chain from plain arrays ``[(W, b), ...]``, as if every entry were stored in ``dtype``.

    >>> plain_chain([(np.eye(2), None), (np.ones((1, 2)), np.zeros(1))]).widths
    (2, 2, 1)
    """
    names = [activation] * (len(layers) - 1) if isinstance(activation, str) else list(activation)
    maps = []
    for l, (weight, bias) in enumerate(layers, start=1):
        weight = np.asarray(weight, dtype=np.float64)
        w_source = Source(f"W{l}", dtype, np.arange(weight.size).reshape(weight.shape))
        if bias is None:
            maps.append(Affine(weight, np.zeros(weight.shape[0]), w_source, None))
        else:
            bias = np.asarray(bias, dtype=np.float64)
            maps.append(Affine(weight, bias, w_source, Source(f"b{l}", dtype, np.arange(bias.size))))
    return Chain(tuple(maps), tuple(names))
