"""Where the stored numbers of a model are not the weights of its graph of units, one for one.

A theorem about the weights of a graph speaks of a model's arrays only if every weight of the graph that is not fixed is
one stored number of its own. A product of two matrices, a sum of two biases, or a matrix that is read twice breaks
this: other arrays, often a continuum of them, then give the same graph.
"""

from __future__ import annotations

import itertools

import numpy as np

from fiberscope.affine.tensor_form import Form, Origin

PRODUCT = "{} is multiplied by other weights with no activation between: only their product is counted"
SUM = "two linear layers or biases are added: only their sum is counted"
SHARED = "the values of one linear layer are read by several: they are counted as free to move on their own"
FIXED = "hidden units are added up without weights of their own: they are counted as free to move on their own"
TWICE = "the same values are read twice by one layer: only the sum of their weights is counted"


class Bound:
    """Follows stored numbers through the forms of a model; ``caveats`` says where they are not free, each reason once.

    Every method takes what went in and the form that came out, and returns the latter with its origin.
    """

    def __init__(self, n_input_blocks: int) -> None:
        self.n_input_blocks = n_input_blocks
        self.caveats: list[str] = []
        self.numbers = itertools.count()

    def note(self, reason: str) -> None:
        """Remember a reason."""
        if reason not in self.caveats:
            self.caveats.append(reason)

    def read(self, form: Form) -> None:
        """A form becomes an output or the pre-activation of units."""
        if form.origin is not None and not form.origin.read(next(self.numbers)):
            self.note(SHARED)

    def mapped(self, form: Form, out: Form, stored: str) -> Form:
        """A matrix was applied, a stored one if it has a name."""
        if form.origin is not None:
            self.note(PRODUCT.format(stored or "a weight"))
        elif not stored and max(form.blocks, default=0) >= self.n_input_blocks:
            self.note(FIXED)
        elif any((np.count_nonzero(m, axis=0) > 1).any() for m in form.blocks.values()):
            self.note(TWICE if form.plain else PRODUCT.format(stored or "a weight"))
        return made(out, Origin.fresh(all_rows(out), False, out.rows)) if stored else out

    def scaled(self, form: Form, out: Form, stored: str, everywhere: bool) -> Form:
        """Every row was multiplied by a number, by 0 unless ``everywhere``."""
        if form.origin is not None and (stored or not everywhere):
            self.note(PRODUCT.format(stored or "a weight"))
        if not stored:
            return out
        return made(out, Origin.fresh(all_rows(out), form.origin is not None and form.origin.shift, out.rows))

    def shifted(self, form: Form, out: Form) -> Form:
        """A stored number was added to every row."""
        if form.origin is None:
            return made(out, Origin.fresh({}, True, out.rows))
        if form.origin.shift:
            self.note(SUM)
        origin = form.origin
        return made(out, Origin(origin.blocks, True, origin.readers, origin.rows))

    def sum(self, left: Form, right: Form, out: Form) -> Form:
        """Two forms were added."""
        a, b = left.origin, right.origin
        if a is None and b is None:
            return out
        blocks = dict(a.blocks) if a is not None else {}
        clash = a is not None and b is not None and a.shift and b.shift
        for k, rows in b.blocks.items() if b is not None else ():
            clash = clash or (k in blocks and bool((blocks[k] & rows).any()))
            blocks[k] = blocks[k] | rows if k in blocks else rows
        if clash:
            self.note(SUM)
        return self.together([left, right], out, blocks)

    def joined(self, parts: list[Form], out: Form) -> Form:
        """Forms were put below each other."""
        if all(part.origin is None for part in parts):
            return out
        blocks = {
            k: np.concatenate([stored_rows(part).get(k, np.zeros(part.rows, dtype=bool)) for part in parts])
            for k in out.blocks
        }
        return self.together(parts, out, blocks)

    def together(self, parts: list[Form], out: Form, blocks: dict[int, np.ndarray]) -> Form:
        """Several forms became one, which is the only reader of all of them."""
        origins = [part.origin for part in parts if part.origin is not None]
        reader = next(self.numbers)
        for origin in origins:
            if not origin.read(reader):
                self.note(SHARED)
        return made(out, Origin.fresh(blocks, any(origin.shift for origin in origins), out.rows))


def all_rows(form: Form) -> dict[int, np.ndarray]:
    """Every row of every block."""
    return {k: np.ones(form.rows, dtype=bool) for k in form.blocks}


def stored_rows(form: Form) -> dict[int, np.ndarray]:
    """The rows of every block that are made of stored numbers."""
    return form.origin.blocks if form.origin is not None else {}


def made(form: Form, origin: Origin) -> Form:
    """A form with its origin."""
    return Form(form.blocks, form.bias, form.plain, origin=origin)
