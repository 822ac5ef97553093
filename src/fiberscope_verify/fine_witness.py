"""Step "fine-witness": a difference too small for float64, shown with more bits, number by number.

Both networks are written in one table of names (names.py), so whatever they have in common cancels exactly; what is
left of an output's difference is evaluated in Arb balls of the precision stated.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import arb, fmpq

from .certificate import Certificate, fields, whole
from .exact import parse_rational, rational
from .fine import MAX_BITS, Values, precision
from .form import Form, scaled, total
from .identities import Related, read_identity
from .model import Model
from .names import LIMIT
from .names_steps import common_size, written
from .report import Reject, need
from .scalar import number


def check_fine_witness(certificate: Certificate, a: Model, b: Model, checked: list[str]) -> None:
    """gap <= max |a(x) - b(x)|; the input and the gap are texts p/q."""
    texts, text, bits = fields(certificate.steps[0], "fine-witness", "input", "gap", "bits")
    if not isinstance(texts, list):
        raise Reject("the input of a fine witness is a list of texts p/q")
    x, gap = [parse_rational(t) for t in texts], parse_rational(text)
    bits = whole(bits, 2, MAX_BITS + 1, "bits")
    need(gap > 0, "the gap must be positive")
    need(len(x) == common_size(a, b), f"the witness has {len(x)} numbers, the models take {common_size(a, b)}")
    box = certificate.box(len(x))
    if box is not None:
        lo, hi = ([rational(v) for v in side] for side in box)
        inside = all(low <= v <= high for low, v, high in zip(lo, x, hi, strict=True))
        need(inside, "the witness lies outside the domain")
    shown = Differences(a, b).largest(x, bits)
    with precision(bits):
        need(shown >= arb(gap), "the outputs do not differ by as much as is claimed")
    checked.append(f"fine witness: the outputs differ by at least the gap stated, with {bits} bits")


class Differences:
    """The differences of all outputs of two networks, as forms in one table; made once for many inputs.

    ``identities``: steps of method "names" that may be used.
    """

    def __init__(self, a: Model, b: Model, limit: int = LIMIT, identities: Sequence[dict] = ()) -> None:
        known = [read_identity(step) for step in identities]
        self.table, first, second = written(a, b, Related(common_size(a, b), limit, known))
        differences = [total([p, scaled(q, -1.0)]) for p, q in zip(first, second, strict=True)]
        self.forms: list[Form] = [d for d in differences if d.key != (0.0,)]

    def largest(self, x: Sequence[fmpq], bits: int) -> arb:
        """A number below the largest |a(x) - b(x)| (0 where no difference shows)."""
        values = Values(self.table, [number(v) for v in x], bits)
        with precision(bits):
            return max((values.form(d).abs_lower() for d in self.forms), default=arb(0), key=lambda v: v.mid())
