"""Linear networks: the whole geometry of the fiber of a matrix, ``mu^{-1}(W) = {(W_1, ..., W_L): W_L ... W_1 = W}``.

Bhattacharya and Shewchuk, "Factoring Matrices into Linear Neural Networks" (2022, 2024), and what follows from the
representation theory of quivers of type A. `Fiber` knows the strata, `decompose` where given factors lie; `apply_move`,
`climb`, `descend`, `walk` and `path` move along the fiber; `critical` tells saddles apart; `chains` finds linear
networks inside other models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiberscope.lazy import lazy

_HOME = {
    "BarMove": "order",
    "Barcode": "barcode",
    "CriticalPoint": "critical",
    "Decomposition": "decomposition",
    "Fiber": "fiber",
    "FiberPath": "path",
    "Flow": "flow",
    "LinearChain": "chains",
    "Stratum": "stratum",
    "apply_move": "step",
    "ascend": "components",
    "chain_up": "order",
    "chains": "chains",
    "climb": "climb",
    "components": "components",
    "count_strata": "counting",
    "covers": "order",
    "critical": "critical",
    "decompose": "decomposition",
    "descend": "descent",
    "descend_to_least": "descent",
    "dimension_gain": "order",
    "from_network": "from_network",
    "hasse": "poset",
    "is_cover": "order",
    "least_barcode": "barcode",
    "leq": "order",
    "load_factors": "factors_file",
    "normal_basis": "normal",
    "path": "path",
    "project_normal": "normal",
    "project_tangent": "normal",
    "random_point": "random_point",
    "save_factors": "factors_file",
    "up_moves": "order",
    "walk": "walk",
}

__all__ = [
    "BarMove",
    "Barcode",
    "CriticalPoint",
    "Decomposition",
    "Fiber",
    "FiberPath",
    "Flow",
    "LinearChain",
    "Stratum",
    "apply_move",
    "ascend",
    "chain_up",
    "chains",
    "climb",
    "components",
    "count_strata",
    "covers",
    "critical",
    "decompose",
    "descend",
    "descend_to_least",
    "dimension_gain",
    "from_network",
    "hasse",
    "is_cover",
    "least_barcode",
    "leq",
    "load_factors",
    "normal_basis",
    "path",
    "project_normal",
    "project_tangent",
    "random_point",
    "save_factors",
    "up_moves",
    "walk",
]

if TYPE_CHECKING:
    from fiberscope.linear.barcode import Barcode, least_barcode
    from fiberscope.linear.chains import LinearChain, chains
    from fiberscope.linear.climb import climb
    from fiberscope.linear.components import ascend, components
    from fiberscope.linear.counting import count_strata
    from fiberscope.linear.critical import CriticalPoint, critical
    from fiberscope.linear.decomposition import Decomposition, decompose
    from fiberscope.linear.descent import descend, descend_to_least
    from fiberscope.linear.factors_file import load_factors, save_factors
    from fiberscope.linear.fiber import Fiber
    from fiberscope.linear.flow import Flow
    from fiberscope.linear.from_network import from_network
    from fiberscope.linear.normal import normal_basis, project_normal, project_tangent
    from fiberscope.linear.order import BarMove, chain_up, covers, dimension_gain, is_cover, leq, up_moves
    from fiberscope.linear.path import FiberPath, path
    from fiberscope.linear.poset import hasse
    from fiberscope.linear.random_point import random_point
    from fiberscope.linear.step import apply_move
    from fiberscope.linear.stratum import Stratum
    from fiberscope.linear.walk import walk

__getattr__, __dir__ = lazy(__name__, _HOME)
