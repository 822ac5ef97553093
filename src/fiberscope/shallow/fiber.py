"""All networks of one hidden layer with a given number of units that compute a given ReLU function.

The fiber is a union of cells, one for every way in which the units can share the work: each is a set of scalings, free
numbers of idle units, and a linear system. Carroll ("DSLT 3: Neural Networks are Singular", 2023) describes the cells
of networks without spare units; Dereich and Kassing ("On minimal representations of shallow ReLU networks", 2022) those
of least width. With spare units there are more: folds with units on both sides, and hyperplanes that are no folds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from fiberscope.errors import InputError
from fiberscope.shallow.bend import checked_model
from fiberscope.shallow.cell import Cell, all_cells, cell_dimension
from fiberscope.shallow.cell_graph import cell_graph
from fiberscope.shallow.cell_point import random_point
from fiberscope.shallow.fiber_components import Components, count_components
from fiberscope.shallow.fiber_counts import count_cells
from fiberscope.shallow.fiber_equation import MAX_STATES, FiberEquation
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import normal_form


@dataclass(frozen=True, eq=False)
class Fiber:
    """The fiber of ``equation`` among networks with ``units`` labelled units.

    >>> from fiberscope.shallow.examples import four_hyperplanes
    >>> fiber = Fiber.of(four_hyperplanes(), 4)
    >>> fiber
    Fiber(4 units, 4 folds: 96 cells, dimension 4, 96 components (4 modulo permutations))
    >>> next(fiber.cells())
    Cell(fo0+ fo1- fo2+ fo3-)
    """

    equation: FiberEquation
    units: int
    max_states: int = MAX_STATES

    @classmethod
    def of(cls, model: ShallowModel, units: int | None = None, *, max_states: int = MAX_STATES) -> Fiber:
        """The fiber of the function of ``model``, exactly, in networks with ``units`` units (default: its own number).

        Errors: InputError for an activation other than ReLU and leaky ReLU, or when no network with so few units
        computes the function.
        """
        checked_model(model)
        size = model.units if units is None else units
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 0:
            raise InputError(f"units = {units!r}: expected a number of units, 0 or more")
        form = normal_form(model, exact=True)
        out = cls(FiberEquation.of(form, model.activation), int(size), max_states)
        if not out.by_dimension:
            raise InputError(
                f"no network with {size} units computes this function, which has {form.folds} folds; see minimal_width"
            )
        return out

    @cached_property
    def by_dimension(self) -> dict[int, int]:
        """``{dimension: number of cells}``, counted without listing them."""
        return count_cells(self.equation, self.units, max_states=self.max_states)

    @property
    def count(self) -> int:
        """The number of cells."""
        return sum(self.by_dimension.values())

    @property
    def dimension(self) -> int:
        """The dimension of the fiber."""
        return max(self.by_dimension)

    @cached_property
    def components(self) -> Components:
        """Connected components, of labelled networks and modulo permutations of units."""
        return count_components(self.equation, self.units, max_states=self.max_states)

    def cells(self, limit: int | None = None) -> Iterator[Cell]:
        """The nonempty cells one by one, at most ``limit`` of them."""
        return islice(all_cells(self.equation, self.units), limit)

    def graph(self, *, max_cells: int = 20_000) -> Any:
        """The ``networkx.Graph`` of all cells, with an edge where one step leads from one to the other.

        Errors: InputError for more than ``max_cells`` cells.
        """
        if self.count > max_cells:
            raise InputError(f"{self.count} cells, more than {max_cells}: raise max_cells or take fewer units")
        return cell_graph(self.equation, self.cells(), max_cells=max_cells)

    def cell_dimension(self, cell: Cell) -> int | None:
        """The dimension of a cell, None if it is empty."""
        return cell_dimension(self.equation, cell)

    def random_point(self, cell: Cell, *, seed: int | np.random.Generator = 0) -> ShallowModel:
        """A random network of the cell, with rational weights; it computes the function exactly."""
        if len(cell.roles) != self.units:
            raise InputError(f"{cell!r} has {len(cell.roles)} units, the fiber's networks have {self.units}")
        return random_point(self.equation, cell, seed=seed)

    def cell_of(self, model: ShallowModel) -> Cell:
        """The cell that a network with this function lies in.

        Errors: InputError if it computes another function or has another number of units.
        """
        from fiberscope.shallow.cell_place import cell_of

        return cell_of(self.equation, self.units, model)

    def __repr__(self) -> str:
        parts = self.components
        return (
            f"Fiber({self.units} units, {self.equation.folds} folds: {self.count} cells, dimension {self.dimension}, "
            f"{parts.labelled} components ({parts.modulo_permutations} modulo permutations))"
        )

    def to_json(self, limit: int | None = None) -> dict[str, Any]:
        """Plain types; ``limit``: also list so many cells with their dimensions."""
        out: dict[str, Any] = {
            "units": self.units,
            "folds": self.equation.folds,
            "cells": self.count,
            "by_dimension": {str(d): c for d, c in self.by_dimension.items()},
            "dimension": self.dimension,
            "components": self.components.labelled,
            "components_mod_permutations": self.components.modulo_permutations,
            "truncated": limit is not None and limit < self.count,
        }
        if limit is not None:
            out["list"] = [{"roles": c.to_json(), "dimension": self.cell_dimension(c)} for c in self.cells(limit)]
        return out
