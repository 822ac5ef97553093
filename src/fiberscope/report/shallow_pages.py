"""Pages about networks of one hidden layer: one for each command that draws."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from fiberscope.report.picture_page import Section, Table, picture_page
from fiberscope.report.words import count
from fiberscope.scene.drawing import Drawing
from fiberscope.scene.shallow_causes import CAUSES
from fiberscope.shallow.fisher import Fisher
from fiberscope.shallow.normal_form import NormalForm
from fiberscope.shallow.reversals import Reversals

LISTED = 1000  # rows in a table


def function_page(path: Any, form: NormalForm, drawing: Drawing) -> str:
    """The page of a normal form."""
    result = form.to_json(LISTED)
    cards = [(f"{form.folds:,}", "folds"), (f"{form.inputs:,}", "inputs"), (f"{form.outputs:,}", "outputs")]
    wide = form.inputs > 8 or form.outputs > 8
    head = ("normal", "offset", "kink")
    rows = () if wide else tuple((_all(f["normal"]), _text(f["offset"]), _all(f["kink"])) for f in result["folds"])
    says = (
        "f(x) = linear x + constant + the sum over folds of kink |normal x + offset| / 2. Two networks are the same "
        "function if and only if all of these agree.",
    )
    more = (f"The first {LISTED:,} of {form.folds:,} folds.",) if form.folds > LISTED else ()
    affine = tuple((_all(row), _text(c)) for row, c in zip(result["linear"], result["constant"], strict=True))
    sections = [Section("The function", says, drawing)]
    if not wide:
        sections.append(Section("Folds", more, table=Table(head, rows, frozenset({1, 2}))))
        sections.append(Section("Affine part", table=Table(("linear", "constant"), affine, frozenset({1}))))
    return picture_page(_name(path), _trust(form.exact, result["gap"]), cards, sections)


def fiber_page(path: Any, result: Mapping[str, Any], drawing: Drawing) -> str:
    """The page of a fiber; ``result`` is what `fiberscope shallow fiber --json` prints."""
    cards = [
        (f"{result['cells']:,}", "cells, units labelled"),
        (f"{result['dimension']:,}", "dimension"),
        (f"{result['components']:,}", "connected components"),
        (f"{result['components_mod_permutations']:,}", "if units may be reordered"),
    ]
    says = (
        "A cell says what every unit does; inside it the weights move freely along scalings and a linear system. Each "
        "box stands for the cells that differ only in the names of units. A line says that two cells meet: from the "
        "upper one a unit goes, or a hyperplane slides onto another. Point at a cell to follow its lines.",
    )
    rows = tuple((str(d), f"{c:,}") for d, c in result["by_dimension"].items())
    sections = [
        Section("Cells", says, drawing),
        Section("Cells by dimension", table=Table(("dimension", "cells"), rows, frozenset({0, 1}))),
    ]
    subtitle = f"{count(result['units'], 'hidden unit')}, {count(result['folds'], 'fold')}"
    return picture_page(f"All networks with the function of {_name(path)}", subtitle, cards, sections)


def reversals_page(path: Any, found: Reversals, drawing: Drawing) -> str:
    """The page of the sets of units that can be turned round."""
    says = (
        "Turning a unit round changes the signs of its weights and bias. A set of units may be turned together, the "
        "output bias taking up the rest, if and only if their weights q w add up to zero.",
    )
    rows = tuple((str(len(s)), " ".join(map(str, s)) or "none") for s in found.sets[:LISTED])
    more = (f"The first {len(rows):,} of {found.count:,}.",) if found.count > len(rows) else ()
    table = Table(("size", "units"), rows, frozenset({0}))
    sections = [Section("Turned together", says, drawing), Section("All sets", more, table=table)]
    return picture_page(_name(path), _trust(found.exact, found.gap), [(f"{found.count:,}", "sets")], sections)


def fisher_page(path: Any, found: Fisher, drawing: Drawing) -> str:
    """The page of the Fisher information's null space."""
    cards = [
        (f"{found.parameters:,}", "parameters"),
        (f"{found.rank:,}", "rank: the functional dimension"),
        (f"{found.nullity:,}", "nullity"),
    ]
    says = (
        "Along a null vector the function does not change to the first order. Each row is one of a basis, with the "
        "units whose weights move.",
    )
    rows = tuple((kind, f"{number:,}", CAUSES[kind]) for kind, number in found.causes.items())
    sections = [
        Section("Null vectors", says, drawing),
        Section("Causes", table=Table(("cause", "vectors", "what moves"), rows, frozenset({1}))),
    ]
    return picture_page(_name(path), _trust(found.gap is None, found.gap), cards, sections)


def potential_page(path: Any, truth: Any, result: Mapping[str, Any], drawing: Drawing) -> str:
    """The page of K; ``result`` is what `fiberscope shallow potential --json` prints."""
    cards = [(_text(result["k"]), "K at the model"), (f"{result['error_bound']:.2g}", "error bound")]
    says = (
        "K(w) is half the mean square of the difference between the model and the true function, inputs uniform on the "
        "box. It is 0 exactly at the true parameters: the floor of the valley.",
    )
    rows = tuple((name, _all(_flat(values))) for name, values in result["gradient"].items())
    sections = [
        Section("Valleys of K", says, drawing),
        Section("Gradient", table=Table(("weights", "dK / dw"), rows)),
    ]
    return picture_page(f"{_name(path)} against {_name(truth)}", "", cards, sections)


def _name(path: Any) -> str:
    return PurePath(str(path)).name


def _trust(exact: bool, gap: float | None) -> str:
    if exact:
        return "in rational arithmetic, exact"
    return "in floats" + ("" if gap is None or gap == float("inf") else f", gap {gap:.3g}")


def _flat(values: Any) -> list[Any]:
    return [v for row in values for v in (row if isinstance(row, list) else [row])]


def _all(values: list[Any], most: int = 8) -> str:
    return ", ".join(map(_text, values[:most])) + (", ..." if len(values) > most else "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
