"""How many strata a fiber has, without listing them: a sweep over the layers.

Full bars never take part in a move, so the strata of (widths d, rank rho) are those of (d - rho, rank 0), and

    N(d, rho) = K(d - rho) - K(d - rho - 1),

where ``K(d)`` counts the multisets of intervals that cover layer ``j`` exactly ``d_j`` times (0 if some ``d_j < 0``):
Kostant's partition function of type A_{L+1}. The subtracted term is the barcodes with at least one more full bar.

The sweep keeps, for each layer, how many bars are alive per layer of birth; only the multiset of these numbers
matters for what can follow, so the states at layer ``j`` are the partitions of ``d_j`` into at most ``j + 1`` parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

from fiberscope.errors import InputError
from fiberscope.linear.barcode import checked_widths

State = tuple[int, ...]

MAX_SWEEP_STEPS = 6_000_000
"""Transitions after which `count_strata` gives up, after about five seconds."""


class CountTooLarge(InputError):
    """The sweep of `count_strata` would take too long."""


def checked_rank(widths: Sequence[int], rank: int) -> int:
    """The rank of the product as an int; `InputError` unless ``0 <= rank <= min(widths)``."""
    if not hasattr(rank, "__index__") or isinstance(rank, bool) or not 0 <= rank.__index__() <= min(widths):
        raise InputError(
            f"rank {rank!r}: a product through widths {list(widths)} has an integer rank from 0 to {min(widths)}"
        )
    return rank.__index__()


def count_strata(widths: Sequence[int], rank: int) -> int:
    """The exact number of strata of the fiber of a matrix of the given rank, ``K(d - rank) - K(d - rank - 1)``.

    ``widths`` run from input to output. `InputError` if rank > min(widths), or if the count itself takes too long
    (several layers that are hundreds wide).

    >>> count_strata([4, 4, 4], 0), count_strata([4, 4, 4], 1), count_strata([4] * 9, 0)
    (15, 10, 23273950)
    """
    widths = checked_widths(widths)
    rank = checked_rank(widths, rank)
    return _kostant([d - rank for d in widths]) - _kostant([d - rank - 1 for d in widths])


def _kostant(widths: Sequence[int]) -> int:
    """``K(d)``: multisets of intervals of ``{0, ..., L}`` with dimension vector ``d``."""
    if min(widths) < 0:
        return 0
    if widths[0] < widths[-1]:
        widths = widths[::-1]  # the transposed network has as many strata, and fewer states when it narrows
    steps = 0
    states: dict[State, int] = {_state([widths[0]]): 1}
    for width in widths[1:-1]:
        following: dict[State, int] = {}
        for alive, ways in states.items():
            survivors = _survivors(alive, width)
            steps += len(survivors) * (len(alive) + 1)
            if steps > MAX_SWEEP_STEPS:
                raise CountTooLarge(
                    f"counting the strata of widths {list(widths)} (rank 0, full bars removed) takes too long: "
                    "ask for the components, or iterate lazily"
                )
            for survived, choices in survivors.items():
                state = _state([*survived, width - sum(survived)])
                following[state] = following.get(state, 0) + ways * choices
        states = following
    return sum(ways * _subsets_at_most(alive, widths[-1]) for alive, ways in states.items())


def _state(alive: Sequence[int]) -> State:
    return tuple(sorted(n for n in alive if n))


def _survivors(alive: State, room: int) -> dict[State, int]:
    """``{multiset of survivors: number of ways}``: at most ``alive[b]`` of each kind, at most ``room`` in all."""
    found: dict[State, int] = {(): 1}
    for n in alive:
        grown: dict[State, int] = {}
        for chosen, ways in found.items():
            for s in range(min(n, room - sum(chosen)) + 1):
                state = tuple(sorted((*chosen, s))) if s else chosen
                grown[state] = grown.get(state, 0) + ways
        found = grown
    return found


def _subsets_at_most(alive: State, room: int) -> int:
    """``#{s : 0 <= s_b <= alive_b, sum s <= room}`` by inclusion and exclusion over the bounds that are exceeded."""
    signed: dict[int, int] = {room: 1}  # room left -> signed number of ways
    for n in alive:
        for left, sign in list(signed.items()):
            if left > n:
                signed[left - n - 1] = signed.get(left - n - 1, 0) - sign
    parts = len(alive)
    return sum(sign * comb(left + parts, parts) for left, sign in signed.items())
