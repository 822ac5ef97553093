"""Decide two networks with one hidden layer of ReLU-like units, always, by their exact normal forms.

The checker computes both normal forms on its own, so the certificate of equality holds no data. A difference is shown
at one input, in floats where enclosures of the outputs come apart there, else in rationals however small it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from fiberscope.equivalence.chain import Chain, chain_of
from fiberscope.equivalence.verdict import Witness
from fiberscope.errors import InputError
from fiberscope.numerics.exact import below, fraction, nearest_floats, rationals

if TYPE_CHECKING:
    from fiberscope.equivalence.domain import Domain
    from fiberscope.equivalence.pair import Pair
    from fiberscope.network import Network
    from fiberscope.shallow.equality import Answer
    from fiberscope.shallow.model import ShallowModel

HINGES = ("relu", "leaky_relu", "prelu", "abs")
SAMPLE = 256
MOST_NODES = 60


def shallow_of(chain: Chain | None) -> ShallowModel | None:
    """The four arrays of a chain with at most one hidden layer; None for any other."""
    from fiberscope.shallow.model import ShallowModel

    if chain is None or len(chain.layers) > 2:
        return None
    layers = list(chain.layers)
    first, last = layers[0], layers[-1]
    if len(layers) == 1:  # z = relu(z) - relu(-z), one input at a time
        eye = np.eye(chain.widths[0])
        W2 = np.concatenate([last.weight, last.weight * -1], axis=1)
        return ShallowModel(np.concatenate([eye, -eye]), np.zeros(2 * len(eye)), W2, last.bias)
    if chain.activations[0].split("(")[0] not in HINGES:
        return None
    return ShallowModel(first.weight, first.bias, last.weight, last.bias, chain.activations[0])


def read(net: Network) -> ShallowModel | None:
    """The hidden layer of a network, from its chain or (a slope that is a weight, say) from its graph."""
    chain = chain_of(net)
    if chain is not None or len(net.graph.nodes) > MOST_NODES:
        return shallow_of(chain)
    from fiberscope.shallow.from_network import shallow_model

    try:
        model = shallow_model(net)
    except InputError:
        return None
    return model if model.activation.split("(")[0] in HINGES else None


def decide(a: Network, b: Network, domain: Domain) -> Answer | None:
    """Equal or different on the domain, exactly; None for networks of another kind."""
    first = read(a)
    second = None if first is None else read(b)
    if first is None or second is None:
        return None
    from fiberscope.shallow.equality import same_function

    return same_function(first, second, box=domain.box)


def plain_to_see(pair: Pair, rng: np.random.Generator) -> bool:
    """Whether random inputs show a gap far above the noise of evaluation: then a search finds a telling witness."""
    gap, noise = pair.gaps(pair.domain.sample(rng, SAMPLE))
    return bool((gap > 4 * noise).any())


def exact_witness(answer: Answer, pair: Pair) -> tuple[Witness, list[dict[str, Any]]]:
    """The input of a decision with the exact gap there, and the certificate's step."""
    x, gap = answer.witness, answer.gap
    assert x is not None and gap is not None
    shown, bound = below(max(abs(fraction(v)) for v in gap))
    texts = [str(v) for v in rationals(x)]
    steps = [{"step": "exact-witness", "input": texts, "gap": bound}]
    floats = nearest_floats(rationals(x))[0]
    if pair.domain.box is not None:
        floats = pair.domain.clip(floats)
    of_a, of_b = (tuple(float(v) for v in y[0]) for y in pair.outputs(floats[None, :]))
    exact = None if x.dtype != object else tuple(texts)
    return Witness(tuple(float(v) for v in floats), of_a, of_b, shown, exact, bound), steps
