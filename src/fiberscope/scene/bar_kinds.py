"""The five kinds of bar, as a reader meets them: their colour keys and what a legend says of them."""

from __future__ import annotations

from collections.abc import Iterable

from fiberscope.linear.barcode import Bar

KINDS: dict[str, str] = {
    "full": "carries W from the input to the output",
    "lost": "comes from the input, lost on the way",
    "free": "reaches the output, never fed by the input",
    "inner": "starts and ends inside, for several layers",
    "dead": "dead: one hidden layer, never fed, never read",
}


def kind(bar: Bar, length: int) -> str:
    """The kind of the bar ``(i, k)`` in a network of ``length`` matrices.

    >>> [kind(bar, 3) for bar in [(0, 3), (0, 1), (2, 3), (1, 2), (1, 1)]]
    ['full', 'lost', 'free', 'inner', 'dead']
    """
    birth, last = bar
    if birth == 0:
        return "full" if last == length else "lost"
    if last == length:
        return "free"
    return "dead" if birth == last else "inner"


def kinds_of(bars: Iterable[Bar], length: int) -> tuple[str, ...]:
    """The kinds that occur, in the order of the legend."""
    found = {kind(bar, length) for bar in bars}
    return tuple(name for name in KINDS if name in found)


_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def lowered(number: int) -> str:
    """Digits as subscripts.

    >>> "W" + lowered(12)
    'W₁₂'
    """
    return str(number).translate(_SUBSCRIPTS)


def subspace_name(letter: str, last: int, layer: int, birth: int) -> str:
    """The name of a subspace of a flow: ``a_{kji}``; indices of two digits are set apart by commas.

    >>> subspace_name("a", 3, 1, 0), subspace_name("b", 12, 1, 0)
    ('a₃₁₀', 'b₁₂,₁,₀')
    """
    return letter + ("" if max(last, layer, birth) < 10 else ",").join(map(lowered, (last, layer, birth)))


def layer_name(layer: int, length: int) -> str:
    """'input', 'layer 1', ..., 'output'."""
    return "input" if layer == 0 else "output" if layer == length else f"layer {layer}"
