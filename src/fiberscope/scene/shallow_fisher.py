"""Which units every null vector of the Fisher information moves, and why the function does not notice."""

from __future__ import annotations

from fiberscope.scene.drawing import Disc, Drawing, Item, Text, moved
from fiberscope.scene.incidence import MOST_ROWS, Line, incidence
from fiberscope.scene.legend import legend, legend_width
from fiberscope.scene.paint import width_of
from fiberscope.scene.shallow_causes import CAUSES, COLOURS
from fiberscope.shallow.fisher import Fisher
from fiberscope.shallow.model import ShallowModel

MARGIN = 28.0


def fisher_drawing(model: ShallowModel, found: Fisher) -> Drawing:
    """A row for each null vector, with the units whose weights move.

    >>> from fiberscope.shallow.examples import four_hyperplanes
    >>> from fiberscope.shallow.fisher import fisher
    >>> model = four_hyperplanes()
    >>> fisher_drawing(model, fisher(model)).title
    'Rank 13 of 17 parameters'
    """
    title = f"Rank {found.rank:,} of {found.parameters:,} parameters"
    shown = f" The first {MOST_ROWS} are shown." if found.nullity > MOST_ROWS else ""
    says = f"{found.nullity:,} independent ways to move the weights without a change of the first order.{shown}"
    lines = [Line(v.kind, v.units, COLOURS[v.kind], _tooltip(v.kind, v.units)) for v in found.null_vectors]
    entries = [
        ((Disc(8.0, -4.0, 6.0, COLOURS[kind]),), f"{kind}: {CAUSES[kind]}") for kind in CAUSES if kind in found.causes
    ]
    chart, width, height = incidence(lines, model.units, MARGIN, 80.0)
    wide = max(width, width_of(title, "title"), width_of(says, "subtitle"), legend_width(entries))
    items: list[Item] = [
        Text(MARGIN, 36.0, title, "title", "start"),
        Text(MARGIN, 57.0, says, "subtitle", "start", "soft"),
        *chart,
    ]
    y = 80.0 + height + 18.0
    marks, tall = legend(entries, wide)
    items += [moved(item, MARGIN, y) for item in marks]
    return Drawing(title, wide + 2 * MARGIN, y + tall + 14.0, tuple(items))


def _tooltip(kind: str, units: tuple[int, ...]) -> str:
    which = f"unit{'' if len(units) == 1 else 's'} {', '.join(map(str, units))}" if units else "the output bias"
    return f"{kind}, {which}\n{CAUSES[kind]}"
