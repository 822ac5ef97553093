"""All subsets of a list of integer vectors that sum to zero: counted, then listed one by one.

A vector becomes one integer in mixed radix, with digits wide enough that no subset overflows: the code is linear and
injective on subset sums, so arithmetic on codes is exact. Equal partial sums are kept once with their multiplicity, and
the two halves of the list meet in the middle (Horowitz and Sahni, 1974): 2^(s/2) sums at most, far fewer in structured
lists.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fiberscope.shallow.modular_sums import zero_sum_masks

MAX_SUMS = 1 << 18
"""Largest number of distinct partial sums that one half of a search may keep; beyond, residues are matched."""


@dataclass(frozen=True)
class ListedSums:
    """Zero-sum subsets that were found one by one, as bit masks."""

    masks: tuple[int, ...]

    def count(self) -> int:
        """The number of zero-sum subsets, the empty one included."""
        return len(self.masks)

    def subsets(self) -> Iterator[tuple[int, ...]]:
        """Every zero-sum subset as increasing indices."""
        for mask in self.masks:
            yield tuple(i for i in range(mask.bit_length()) if mask >> i & 1)


@dataclass(frozen=True)
class ZeroSums:
    """Partial sums from both ends: ``left[i]`` maps a sum of the first i codes to the number of its subsets."""

    codes: tuple[int, ...]
    left: tuple[dict[int, int], ...]
    right: tuple[dict[int, int], ...]

    def count(self) -> int:
        """The number of zero-sum subsets, the empty one included."""
        left, right = self.left[-1], self.right[-1]
        return sum(number * right.get(-total, 0) for total, number in left.items())

    def subsets(self) -> Iterator[tuple[int, ...]]:
        """Every zero-sum subset as increasing indices, lazily and without dead ends."""
        split, size = len(self.left) - 1, len(self.codes)
        for total in self.left[-1]:
            if -total in self.right[-1]:
                for head in _trace(self.left, list(range(split)), self.codes, total):
                    for tail in _trace(self.right, list(range(size - 1, split - 1, -1)), self.codes, -total):
                        yield tuple(sorted((*head, *tail)))


def zero_sums(vectors: list[list[int]], *, max_sums: int = MAX_SUMS) -> ZeroSums | ListedSums:
    """Search for the zero-sum subsets of integer ``vectors`` (s vectors of one length).

    Errors: InputError when the halves have more than ``max_sums`` different sums and there are more than 44 vectors or
    more than 2^22 zero sums.

    >>> found = zero_sums([[1, 0], [0, 1], [-1, 0], [0, -1]])
    >>> found.count(), sorted(found.subsets())
    (4, [(), (0, 1, 2, 3), (0, 2), (1, 3)])
    """
    codes = _codes(vectors)
    split = len(codes) // 2
    left = _layers(codes[:split], max_sums)
    right = _layers(codes[split:][::-1], max_sums) if left else None
    if left is None or right is None:
        return ListedSums(tuple(zero_sum_masks(tuple(codes))))
    return ZeroSums(tuple(codes), tuple(left), tuple(right))


def _codes(vectors: list[list[int]]) -> list[int]:
    """One integer per vector: coordinates as digits, base 2 sum|v_c| + 1 for coordinate c."""
    codes, base = [0] * len(vectors), 1
    for c in range(len(vectors[0]) if vectors else 0):
        column = [v[c] for v in vectors]
        codes = [code + base * value for code, value in zip(codes, column, strict=True)]
        base *= 2 * sum(abs(value) for value in column) + 1
    return codes


def _layers(codes: list[int], max_sums: int) -> list[dict[int, int]] | None:
    """The different sums of the first 0, 1, 2, ... codes; None if they are too many."""
    layers = [{0: 1}]
    for code in codes:
        last = layers[-1]
        grown = dict(last)
        for total, number in last.items():
            key = total + code
            grown[key] = grown.get(key, 0) + number
        if len(grown) > max_sums:
            return None
        layers.append(grown)
    return layers


def _trace(
    layers: tuple[dict[int, int], ...], order: list[int], codes: tuple[int, ...], total: int
) -> Iterator[list[int]]:
    """Every subset of ``order`` whose codes sum to ``total``, which is a key of the last layer."""
    stack: list[tuple[int, int, list[int]]] = [(len(order), total, [])]
    while stack:
        depth, rest, chosen = stack.pop()
        if depth == 0:
            yield chosen
            continue
        index = order[depth - 1]
        if rest - codes[index] in layers[depth - 1]:
            stack.append((depth - 1, rest - codes[index], [*chosen, index]))
        if rest in layers[depth - 1]:
            stack.append((depth - 1, rest, chosen))
