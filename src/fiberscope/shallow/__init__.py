"""One hidden layer of ReLU units: every set of weights that computes the same function, exactly.

f(x) = c + sum_i q_i relu(<w_i, x> + b_i). `shallow_model` takes the weights out of a loaded network; `normal_form`
writes the function by its folds and an affine part, `same_function` decides equality; `minimal_width` finds the least
number of units, `Fiber` all networks of a given size with this function; `reversals`, `fisher` and `potential` tell how
degenerate weights are. Petzka, Trimmel and Sminchisescu (2020); Dereich and Kassing (2022); Carroll, "DSLT 3" (2023),
whose examples are `four_hyperplanes`, `scaling`, `reversed_pair`, `shared_boundary` and `m_symmetric`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fiberscope.lazy import lazy

_HOME = {
    "Answer": "equality",
    "Box": "box",
    "Cell": "cell",
    "Components": "fiber_components",
    "Example": "examples",
    "Fiber": "fiber",
    "Fisher": "fisher",
    "Landscape": "landscape",
    "MinimalWidth": "minimal",
    "NormalForm": "normal_form",
    "NullVector": "null_vectors",
    "Polytope": "polytope",
    "Potential": "potential",
    "Region": "regions",
    "Relation": "relation",
    "Reversals": "reversals",
    "ShallowModel": "model",
    "boundary_off_the_folds": "examples",
    "fisher": "fisher",
    "four_hyperplanes": "examples",
    "functional_rank": "functional_rank",
    "information_of_samples": "information",
    "information_on_box": "information",
    "landscape": "landscape",
    "let_die": "crossing",
    "linear_regions": "regions",
    "m_symmetric": "examples",
    "minimal_width": "minimal",
    "normal_form": "normal_form",
    "numerical_rank": "information",
    "parameter_names": "information",
    "potential": "potential",
    "relation": "relation",
    "reversal_without_annihilation": "examples",
    "reversals": "reversals",
    "reverse": "reversals",
    "reversed_pair": "examples",
    "same_function": "equality",
    "scaling": "examples",
    "shallow_model": "from_network",
    "shared_boundary": "examples",
    "turn_round": "crossing",
    "write_npz": "from_network",
    "zero_sum_subsets": "reversals",
}

__all__ = [
    "Answer",
    "Box",
    "Cell",
    "Components",
    "Example",
    "Fiber",
    "Fisher",
    "Landscape",
    "MinimalWidth",
    "NormalForm",
    "NullVector",
    "Polytope",
    "Potential",
    "Region",
    "Relation",
    "Reversals",
    "ShallowModel",
    "boundary_off_the_folds",
    "fisher",
    "four_hyperplanes",
    "functional_rank",
    "information_of_samples",
    "information_on_box",
    "landscape",
    "let_die",
    "linear_regions",
    "m_symmetric",
    "minimal_width",
    "normal_form",
    "numerical_rank",
    "parameter_names",
    "potential",
    "relation",
    "reversal_without_annihilation",
    "reversals",
    "reverse",
    "reversed_pair",
    "same_function",
    "scaling",
    "shallow_model",
    "shared_boundary",
    "turn_round",
    "write_npz",
    "zero_sum_subsets",
]

if TYPE_CHECKING:
    from fiberscope.shallow.box import Box
    from fiberscope.shallow.cell import Cell
    from fiberscope.shallow.crossing import let_die, turn_round
    from fiberscope.shallow.equality import Answer, same_function
    from fiberscope.shallow.examples import (
        Example,
        boundary_off_the_folds,
        four_hyperplanes,
        m_symmetric,
        reversal_without_annihilation,
        reversed_pair,
        scaling,
        shared_boundary,
    )
    from fiberscope.shallow.fiber import Fiber
    from fiberscope.shallow.fiber_components import Components
    from fiberscope.shallow.fisher import Fisher, fisher
    from fiberscope.shallow.from_network import shallow_model, write_npz
    from fiberscope.shallow.functional_rank import functional_rank
    from fiberscope.shallow.information import (
        information_of_samples,
        information_on_box,
        numerical_rank,
        parameter_names,
    )
    from fiberscope.shallow.landscape import Landscape, landscape
    from fiberscope.shallow.minimal import MinimalWidth, minimal_width
    from fiberscope.shallow.model import ShallowModel
    from fiberscope.shallow.normal_form import NormalForm, normal_form
    from fiberscope.shallow.null_vectors import NullVector
    from fiberscope.shallow.polytope import Polytope
    from fiberscope.shallow.potential import Potential, potential
    from fiberscope.shallow.regions import Region, linear_regions
    from fiberscope.shallow.relation import Relation, relation
    from fiberscope.shallow.reversals import Reversals, reversals, reverse, zero_sum_subsets

__getattr__, __dir__ = lazy(__name__, _HOME)
