"""Linear forms over named entries: ``const + sum of terms[i] * entry i``, exactly.

A form that was built from stored numbers may carry `moves`: which stored number moves which coefficient. They are used
for strength "rounding" only (near_names.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from .scalar import Number, plus, times

Slot = tuple[int, str, int]  # (model, array, flat position)


class Move(NamedTuple):
    """A stored number w enters as ``w * (factor * entry + shift)``; entry None: as ``w * shift``, shift constant."""

    slot: Slot
    ulp: float
    entry: int | None
    factor: Number
    shift: Form


@dataclass(eq=False, slots=True)
class Form:
    """Never changed once made; no coefficient is zero."""

    const: Number
    terms: dict[int, Number] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()

    @property
    def key(self) -> tuple:
        """Equal forms have equal keys, and the other way round."""
        return (self.const, *sorted(self.terms.items(), key=lambda pair: pair[0]))

    def plain(self) -> Form:
        """The same form without moves."""
        return Form(self.const, self.terms) if self.moves else self


ZERO = Form(0.0)
ONE = Form(1.0)


def scaled(form: Form, factor: Number) -> Form:
    """A rational multiple; what stored numbers do to it is multiplied along."""
    if factor == 1.0:
        return form
    if factor == 0.0:
        return ZERO
    moves = tuple(Move(m.slot, m.ulp, m.entry, times(m.factor, factor), scaled(m.shift, factor)) for m in form.moves)
    return Form(times(form.const, factor), {i: times(c, factor) for i, c in form.terms.items()}, moves)


def total(forms: Iterable[Form]) -> Form:
    """The sum of forms."""
    const: Number = 0.0
    terms: dict[int, Number] = {}
    moves: list[Move] = []
    for form in forms:
        const = plus(const, form.const) if form.const != 0.0 else const
        for i, c in form.terms.items():
            add_term(terms, i, c)
        moves += form.moves
    return Form(const, terms, tuple(moves))


def add_term(terms: dict[int, Number], i: int, c: Number) -> None:
    """terms[i] += c, dropped where it cancels."""
    if i not in terms:
        terms[i] = c
        return
    c = plus(terms[i], c)
    if c == 0.0:
        del terms[i]
    else:
        terms[i] = c
