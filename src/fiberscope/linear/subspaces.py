"""The subspaces of every layer that a chain of matrices singles out: what arrives, what is lost, what is idle.

With ``null W_{L+1~j}`` and ``col W_{j~j}`` the whole space (and row spaces and left null spaces likewise),

    A_{kji} = null W_{k+1~j}  intersected with  col W_{j~i}             dimension r_{j~i} - r_{k+1~i}
    B_{kji} = row W_{k~j}     intersected with  left null W_{j~i-1}     dimension r_{k~j} - r_{k~i-1}

for ``0 <= i <= j <= k <= L``: ``A`` holds the vectors that were born by layer i and have died by layer k, ``B`` the
covectors that see nothing older than i and are seen from k. A flow basis splits both: with ``a_{kji}`` the span of the
vectors at j of the bars (i, k), and ``b_{kji}`` of their dual rows,

    A_{kji} = direct sum of a_{k'ji'} over i' <= i, j <= k' <= k
    B_{kji} = direct sum of b_{k'ji'} over i <= i' <= j, k <= k'.

The ``a`` and ``b`` are bases before a choice of vectors ("prebases", Bhattacharya and Shewchuk); they depend on the
flow, ``A`` and ``B`` do not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fiberscope.errors import InputError
from fiberscope.linear.barcode import Bar
from fiberscope.linear.exact import from_flint, is_exact, to_flint
from fiberscope.linear.flow import Flow


@dataclass(frozen=True, repr=False)
class Subspaces:
    """Every method returns a basis as the columns of a matrix with d_j rows: orthonormal in floats, rational over Q.

    A layer out of range is an `InputError`. Time of each call O(d_j^3).

    >>> from fiberscope.linear.decomposition import decompose
    >>> s = decompose([[[1.0, 0.0], [0.0, 0.0]], [[1.0, 1.0]]]).subspaces
    >>> abs(s.information_lost_at(0)).T.tolist(), abs(s.idle(1)).T.tolist()
    ([[0.0, 1.0]], [[0.0, 1.0]])
    """

    flow: Flow

    def A(self, k: int, j: int, i: int) -> np.ndarray:
        """``A_{kji} = null W_{k+1~j} ∩ col W_{j~i}``: born at i or before, dead after k (d_j x dim)."""
        self._check(i, j, k)
        return self._basis(j, lambda birth, last: birth <= i and last <= k)

    def B(self, k: int, j: int, i: int) -> np.ndarray:
        """``B_{kji} = row W_{k~j} ∩ left null W_{j~i-1}``: sees layer k, sees nothing born before i (d_j x dim)."""
        self._check(i, j, k)
        return self._dual_basis(j, lambda birth, last: birth >= i and last >= k)

    def dimension_A(self, k: int, j: int, i: int) -> int:
        """``r_{j~i} - r_{k+1~i}``."""
        self._check(i, j, k)
        return self.flow.barcode.rank(j, i) - self.flow.barcode.rank(k + 1, i)

    def dimension_B(self, k: int, j: int, i: int) -> int:
        """``r_{k~j} - r_{k~i-1}``."""
        self._check(i, j, k)
        return self.flow.barcode.rank(k, j) - self.flow.barcode.rank(k, i - 1)

    def a(self, k: int, j: int, i: int) -> np.ndarray:
        """The flow vectors at j of the bars (i, k): a basis of ``a_{kji}`` (d_j x multiplicity, not orthonormal)."""
        self._check(i, j, k)
        return self.flow.bases[j][:, self._columns(j, lambda birth, last: (birth, last) == (i, k))]

    def b(self, k: int, j: int, i: int) -> np.ndarray:
        """The dual rows at j of the bars (i, k), as columns: a basis of ``b_{kji}`` (d_j x multiplicity)."""
        self._check(i, j, k)
        return self.flow.duals[j][self._columns(j, lambda birth, last: (birth, last) == (i, k))].T

    def boxes(self, j: int) -> dict[Bar, np.ndarray]:
        """``{(i, k): a_{kji}}`` for the bars alive at j: ``R^{d_j}`` is their direct sum."""
        return {(i, k): self.a(k, j, i) for i, k, _ in self.flow.barcode.bars if i <= j <= k}

    def dual_boxes(self, j: int) -> dict[Bar, np.ndarray]:
        """``{(i, k): b_{kji}}`` for the bars alive at j: their direct sum is the space of covectors at j."""
        return {(i, k): self.b(k, j, i) for i, k, _ in self.flow.barcode.bars if i <= j <= k}

    def reached(self, j: int, i: int = 0) -> np.ndarray:
        """``col W_{j~i}``: the vectors at layer j that come from layer i."""
        return self.A(self.flow.length, j, i)

    def annihilated(self, j: int, k: int) -> np.ndarray:
        """``null W_{k+1~j}``: the vectors at layer j of which nothing is left after layer k."""
        return self.A(k, j, j)

    def heard(self, j: int, k: int | None = None) -> np.ndarray:
        """``row W_{k~j}``: the directions at layer j that layer k (default: the output) listens to."""
        return self.B(self.flow.length if k is None else k, j, 0)

    def idle(self, j: int, i: int = 0) -> np.ndarray:
        """``left null W_{j~i}``: the directions at layer j that nothing at layer i (default: the input) moves."""
        self._check(i, j, j)
        return self._dual_basis(j, lambda birth, last: birth > i)

    def could_carry(self, j: int) -> np.ndarray:
        """``row W_{L~j} ∩ left null W_{j~0}``: idle directions that the output listens to, free for signals."""
        self._check(j)
        return self._dual_basis(j, lambda birth, last: birth > 0 and last == self.flow.length)

    def carried_in_vain(self, j: int) -> np.ndarray:
        """``col W_{j~0} ∩ null W_{L~j}``: vectors that the input causes at layer j and the output never sees."""
        self._check(j)
        return self._basis(j, lambda birth, last: birth == 0 and last < self.flow.length)

    def input_directions_reaching(self, k: int) -> np.ndarray:
        """``row W_{k~0}``: the input directions that layer k sees (d_0 x r_{k~0})."""
        return self.B(k, 0, 0)

    def information_lost_at(self, k: int) -> np.ndarray:
        """Input directions that layer k sees and layer k + 1 does not: ``null W_{k+1~0}`` without ``null W_{k~0}``.

        The part orthogonal to ``null W_{k~0}`` (d_0 x m_{0k}); for k = L what reaches the output. Over all k these are
        an orthogonal direct sum of the input space.
        """
        self._check(0, k)
        before = self._columns(0, lambda birth, last: last < k)
        return _beyond(self.flow.bases[0], before, self._columns(0, lambda birth, last: last == k))

    def output_directions_reached_from(self, i: int) -> np.ndarray:
        """``col W_{L~i}``: the output directions that layer i can move (d_L x r_{L~i})."""
        return self.A(self.flow.length, self.flow.length, i)

    def output_directions_new_at(self, i: int) -> np.ndarray:
        """Output directions that layer i can move and layer i - 1 cannot: ``col W_{L~i}`` without ``col W_{L~i-1}``.

        The part orthogonal to ``col W_{L~i-1}`` (d_L x m_{iL}); over all i an orthogonal sum of the output space.
        """
        self._check(i)
        top = self.flow.length
        before = self._columns(top, lambda birth, last: birth < i)
        return _beyond(self.flow.bases[top], before, self._columns(top, lambda birth, last: birth == i))

    def _check(self, *layers: int) -> None:
        if any(not 0 <= j <= self.flow.length for j in layers) or list(layers) != sorted(layers):
            shown = " <= ".join(map(str, layers))
            raise InputError(f"layers {shown}: expected integers in this order between 0 and {self.flow.length}")

    def _columns(self, j: int, chosen: Callable[[int, int], bool]) -> list[int]:
        return [c for c, s in enumerate(self.flow.columns[j]) if chosen(*self.flow.bars[s])]

    def _basis(self, j: int, chosen: Callable[[int, int], bool]) -> np.ndarray:
        return _beyond(self.flow.bases[j], [], self._columns(j, chosen))

    def _dual_basis(self, j: int, chosen: Callable[[int, int], bool]) -> np.ndarray:
        return _beyond(self.flow.duals[j].T, [], self._columns(j, chosen))


def _beyond(basis: np.ndarray, before: list[int], chosen: list[int]) -> np.ndarray:
    """The span of the columns ``before + chosen`` orthogonal to that of ``before``: one column for each of `chosen`."""
    if not chosen:
        return basis[:, :0]
    if not is_exact(basis):
        columns = basis[:, before + chosen]
        return np.linalg.qr(columns / np.linalg.norm(columns, axis=0))[0][:, len(before) :]
    new = basis[:, chosen]
    if not before:
        return new
    old, columns = to_flint(basis[:, before]), to_flint(new)
    gram = old.transpose() * old
    return from_flint(columns - old * gram.solve(old.transpose() * columns))
