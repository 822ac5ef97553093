"""Affine symmetries: every network with the same function, for any activation and any wiring.

Vlacic and Boelcskei, "Affine symmetries and neural network identifiability" (2021). `activation`, `from_expression` and
`from_function` make activations as objects, `discover` searches their symmetries; a `DagNetwork` is a network on any
graph, which `reduce_network` brings to its irreducible form, `count_networks` counts and `networks` lists;
`same_function` decides equality for tanh-like units, and `distance` measures how far apart two networks are up to
symmetry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiberscope.lazy import lazy

_HOME = {
    "Activation": "activation",
    "AffineSymmetry": "identity_proof",
    "DagNetwork": "dag",
    "Rewriter": "modification",
    "activation": "activation",
    "canonical_form": "canonical",
    "completeness": "theorem",
    "conditions": "conditions",
    "count_networks": "count",
    "discover": "discovery.search",
    "distance": "distance",
    "from_expression": "activation",
    "from_function": "activation",
    "from_network": "from_network",
    "networks": "enumerate",
    "reduce_network": "sussmann",
    "same_function": "equality",
    "to_network": "to_network",
}

__all__ = [
    "Activation",
    "AffineSymmetry",
    "DagNetwork",
    "Rewriter",
    "activation",
    "canonical_form",
    "completeness",
    "conditions",
    "count_networks",
    "discover",
    "distance",
    "from_expression",
    "from_function",
    "from_network",
    "networks",
    "reduce_network",
    "same_function",
    "to_network",
]

if TYPE_CHECKING:
    from fiberscope.affine.activation import Activation, activation, from_expression, from_function
    from fiberscope.affine.canonical import canonical_form
    from fiberscope.affine.conditions import conditions
    from fiberscope.affine.count import count_networks
    from fiberscope.affine.dag import DagNetwork
    from fiberscope.affine.discovery.search import discover
    from fiberscope.affine.distance import distance
    from fiberscope.affine.enumerate import networks
    from fiberscope.affine.equality import same_function
    from fiberscope.affine.from_network import from_network
    from fiberscope.affine.identity_proof import AffineSymmetry
    from fiberscope.affine.modification import Rewriter
    from fiberscope.affine.sussmann import reduce_network
    from fiberscope.affine.theorem import completeness
    from fiberscope.affine.to_network import to_network

__getattr__, __dir__ = lazy(__name__, _HOME)
