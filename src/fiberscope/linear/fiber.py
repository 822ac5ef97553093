"""The fiber of a matrix W under multiplication, ``{(W_1, ..., W_L) : W_L ... W_1 = W}``, and its strata.

Up to a change of bases at both ends the fiber depends only on the widths and on the rank of W.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Barcode, checked_widths, least_barcode
from fiberscope.linear.components import components, count_components
from fiberscope.linear.counting import CountTooLarge, checked_rank, count_strata
from fiberscope.linear.enumeration import barcodes
from fiberscope.linear.order import check_same_fiber
from fiberscope.linear.poset import hasse, interval, to_barcode
from fiberscope.linear.product_rank import RankDecision, product_rank
from fiberscope.linear.real import fiber_real_components
from fiberscope.linear.stratum import Stratum


@dataclass(frozen=True, repr=False)
class Fiber:
    """The fiber of a d_L x d_0 matrix of the given rank through the widths ``d_0, ..., d_L`` (input to output).

    `InputError` for widths that are not positive integers, or a rank that is negative or above the least width.

    >>> fiber = Fiber((5, 4, 6, 4), 2)
    >>> fiber
    Fiber(widths (5, 4, 6, 4), rank 2: dimension 50 of 68 weights, singular, 1 real piece)
    >>> fiber.count(), fiber.count_components(), fiber.least.dimension
    (39, 3, 32)
    """

    widths: tuple[int, ...]
    rank: int
    decision: RankDecision | None = field(default=None, compare=False)  # how the rank was decided, by `Fiber.of`

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", checked_widths(self.widths))
        object.__setattr__(self, "rank", checked_rank(self.widths, self.rank))

    @classmethod
    def of(cls, product: Any, widths: Sequence[int], tol: float | None = None, *, exact: bool = False) -> Fiber:
        """The fiber of the given matrix (d_L x d_0); its rank is decided with the tolerance, the gap is reported.

        Singular values up to ``tol`` (default 1e-9) times the largest count as zero; matrices of integers or
        rationals, and floats with ``exact``, have an exact rank. ``.decision`` holds the tolerance and the gap.
        `InputError` if the shape does not fit the widths or the rank is above the least width (then no factors have
        this product).

        >>> fiber = Fiber.of([[1.0, 2.0], [2.0, 4.0 + 1e-12]], [2, 3, 2])
        >>> fiber.rank, fiber.decision.gap > 1e12, Fiber.of([[1, 2], [2, 5]], [2, 3, 2]).rank
        (1, True, 2)
        """
        widths = checked_widths(widths)
        decision = product_rank(product, tol=tol, exact=exact)
        shape = tuple(product.shape) if hasattr(product, "shape") else (len(product), len(product[0]))
        if shape != (widths[-1], widths[0]):
            raise InputError(
                f"the product is {shape[0]}x{shape[1]}: widths {list(widths)} need {widths[-1]}x{widths[0]} "
                "(rows: output, columns: input)"
            )
        if decision.rank > min(widths):
            raise InputError(
                f"the product has rank {decision.rank}, more than the least of the widths {list(widths)}: no factors "
                "of these widths have this product"
            )
        return cls(widths, decision.rank, decision)

    @property
    def length(self) -> int:
        """``L``, the number of factors."""
        return len(self.widths) - 1

    @property
    def weights(self) -> int:
        """``D = sum_j d_j d_{j-1}``, the number of weights."""
        return self.least.weights

    @cached_property
    def least(self) -> Stratum:
        """The stratum in the closure of all others: every partial product has the rank of the whole."""
        return Stratum(least_barcode(self.widths, self.rank))

    @cached_property
    def dimension(self) -> int:
        """The dimension of the fiber, that of its largest component."""
        return self.least.local_dimension

    @property
    def is_smooth(self) -> bool:
        """Whether the fiber is a manifold: with two or more factors, iff the rank is the least width."""
        return not self.least.singular

    @property
    def real_components(self) -> int:
        """The number of connected components over the real numbers: a factor 2 per hidden layer of width ``rank``."""
        return fiber_real_components(self.widths, self.rank)

    def count(self) -> int:
        """The exact number of strata; `CountTooLarge` (an `InputError`) if counting would take minutes."""
        return count_strata(self.widths, self.rank)

    def count_components(self) -> int:
        """The number of irreducible components."""
        return count_components(self.widths, self.rank)

    def components(self) -> Iterator[Stratum]:
        """The maximal strata, lazily: their closures are the irreducible components. Ask `count_components` first."""
        return map(Stratum, components(self.widths, self.rank))

    def strata(self, max_strata: int | None = 100_000) -> Iterator[Stratum]:
        """All strata, lazily, the least first. ``max_strata=None`` lifts the limit.

        `InputError` with the exact count if there are more than ``max_strata``, before the first is made.

        >>> [s.dimension for s in Fiber((2, 2, 2), 1).strata()]
        [3, 4, 4]
        """
        if max_strata is not None:
            self._refuse_more_than(max_strata)
        return map(Stratum, barcodes(self.widths, self.rank))

    def _refuse_more_than(self, most: int) -> None:
        try:
            count = self.count()
            if count <= most:
                return
            found = f"{count} strata, more than max_strata={most}; raise it,"
        except CountTooLarge:
            found = f"too many strata to count quickly and compare with max_strata={most};"
        raise InputError(
            f"widths {list(self.widths)}, rank {self.rank}: {found} pass max_strata=None to iterate lazily over all, "
            "or take only components() or interval(lower, upper)"
        )

    def hasse(self, max_strata: int | None = 100_000) -> Any:
        """The Hasse diagram of the closure order as a ``networkx.DiGraph``, see `poset.hasse`."""
        return hasse(self, max_strata)

    def interval(self, lower: Barcode | Stratum, upper: Barcode | Stratum) -> Iterator[Stratum]:
        """The strata whose closure contains ``lower`` and that lie in the closure of ``upper``, lazily.

        `InputError` if one of them is not a stratum of this fiber, or ``lower`` is not in the closure of ``upper``.
        """
        low, high = to_barcode(lower), to_barcode(upper)
        for barcode in (low, high):
            check_same_fiber(self.least.barcode, barcode)
        return map(Stratum, interval(low, high))

    def __repr__(self) -> str:
        kind, pieces = "smooth" if self.is_smooth else "singular", self.real_components
        return (
            f"Fiber(widths {self.widths}, rank {self.rank}: dimension {self.dimension} of {self.weights} weights, "
            f"{kind}, {pieces} real piece{'s' * (pieces > 1)})"
        )

    def to_json(self) -> dict[str, Any]:
        """``widths``, ``rank``, ``gap`` (of the decision on the rank), and the fiber's main numbers."""
        return {
            "widths": list(self.widths),
            "rank": self.rank,
            "gap": None if self.decision is None else self.decision.gap,
            "fiber_dimension": self.dimension,
            "smooth": self.is_smooth,
            "real_components": self.real_components,
            "least": self.least.to_json(),
        }
