"""Method "shallow": both networks have one hidden layer and the same normal form; nothing is taken from the search."""

from __future__ import annotations

from .certificate import Certificate
from .chain import Chain
from .report import need
from .shallow import difference


def check_shallow(certificate: Certificate, a: Chain, b: Chain, checked: list[str]) -> None:
    """f_a - f_b has no kink and no affine part, in rationals."""
    need(certificate.steps == [], "shallow has no steps")
    box = certificate.box(a.n_in)
    found = difference(a, b, box)
    need(not len(found.kinks), f"the networks bend differently along {len(found.kinks)} hyperplanes")
    need(found.zero, "the networks bend alike, but differ by an affine function")
    units = [len(chain.layers[0].bias) if len(chain.layers) == 2 else 0 for chain in (a, b)]
    where = "on all inputs" if box is None else "on the box"
    checked.append(f"normal forms of {units[0]} and {units[1]} units agree in rational arithmetic {where}")
