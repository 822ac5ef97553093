"""Pages about linear networks: given factors, their moves, and the strata of a fiber."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from fiberscope.linear.barcode import Barcode
from fiberscope.linear.order import BarMove
from fiberscope.report.picture_page import Section, Table, picture_page
from fiberscope.report.words import count
from fiberscope.scene.bar_kinds import KINDS, kind, layer_name
from fiberscope.scene.drawing import Drawing
from fiberscope.scene.flow import FlowPicture
from fiberscope.scene.flow_drawing import flow_drawing, move_words

FLOW = (
    "Every column is the space of one layer, cut into boxes as high as their dimension. A matrix carries a box along "
    "its ribbon to the next layer, or sends it to zero. Older boxes lie lower: what the input can reach is the lower "
    "part of a column.",
)
SHOWN = 60  # moves whose pictures a page holds
LISTED = 1000  # strata in the table of a page


def name(barcode: Barcode) -> str:
    """'Widths 4 → 3 → 5, product of rank 2'."""
    return f"Widths {' → '.join(map(str, barcode.widths))}, product of rank {barcode.full}"


def bars_table(barcode: Barcode) -> Table:
    """Every type of bar, where it lives, and what that means."""
    length = barcode.length
    rows = []
    for i, k, copies in barcode.bars:
        lives = layer_name(i, length) if i == k else f"{layer_name(i, length)} to {layer_name(k, length)}"
        rows.append((f"[{i},{k}]", str(copies), lives, KINDS[kind((i, k), length)]))
    return Table(("bar", "copies", "lives in", "what it means"), tuple(rows), frozenset({1}))


def ranks_table(barcode: Barcode) -> Table:
    """``rank(W_k ... W_{i+1})``, row by the first layer, column by the last."""
    layers = range(barcode.length + 1)
    head = ("from", *(f"to {layer_name(k, barcode.length)}" for k in layers))
    rows = tuple(
        (layer_name(i, barcode.length), *(str(barcode.rank(k, i)) if k >= i else "" for k in layers)) for i in layers
    )
    return Table(head, rows, frozenset(range(1, barcode.length + 2)))


def inspect_page(result: Mapping[str, Any], picture: FlowPicture) -> str:
    """The page of given factors; ``result`` is what `fiberscope linear inspect --json` prints."""
    barcode = picture.barcode
    cards = [
        (f"{sum(a * b for a, b in zip(barcode.widths, barcode.widths[1:], strict=False)):,}", "weights"),
        (f"{result['dimension']:,}", "directions that keep the product and all ranks"),
        (f"{result['local_dimension']:,}", "dimension of the fiber here"),
        ("singular" if result["singular"] else "smooth", "point of the fiber"),
    ]
    gap = "nothing had to be dropped" if result["gap"] is None else f"kept / dropped pivots: {result['gap']:.3g}"
    trust = (
        "The ranks are exact, over the rational numbers."
        if result.get("exact")
        else f"Matrices with exactly these ranks lie {result['backward_error']:.3g} away (Frobenius norm); {gap}."
    )
    sections = [
        Section("Basis flow", FLOW, flow_drawing(picture)),
        Section(
            "Bars",
            ("Each bar is one direction that the matrices hand on from layer to layer.",),
            table=bars_table(barcode),
        ),
        Section("Ranks", ("The rank of the product of the matrices between two layers.",), table=ranks_table(barcode)),
        Section("How far to trust this", (trust,)),
    ]
    return picture_page(PurePath(str(result.get("path", "Factors"))).name, name(barcode), cards, sections)


def moves_page(picture: FlowPicture, moves: Sequence[BarMove], listed: Sequence[Mapping[str, Any]]) -> str:
    """The page of all moves up: the flow, a table, and a picture for each."""
    rows = tuple(
        (
            str(m["id"]),
            m["kind"],
            _bars(m["from"]),
            _bars(m["to"]),
            f"+{m['dimension_gain']}",
            "yes" if m["cover"] else "no",
        )
        for m in listed
    )
    table = Table(("id", "kind", "from", "to", "dimension", "cover"), rows, frozenset({0, 4}))
    says = "Each leads to a larger stratum by a step as small as you like, and keeps the product."
    if not moves:
        says = "No move leads up from here: this stratum is a component of the fiber."
    sections = [
        Section("Basis flow", FLOW, flow_drawing(picture)),
        Section("Moves", (says,), table=table if rows else None),
    ]
    for number, move in enumerate(moves[:SHOWN]):
        sections.append(Section(f"Move {number}", (), flow_drawing(picture, move, f"Move {number}: {move.kind}")))
    if len(moves) > SHOWN:
        sections.append(Section("More", (f"{len(moves) - SHOWN} further moves are in the table only.",)))
    return picture_page("Moves", name(picture.barcode), [(str(len(moves)), "moves up")], sections)


def move_page(barcode: Barcode, move: BarMove, drawing: Drawing, product_change: float) -> str:
    """The page of one move that was taken."""
    sections = [
        Section(
            "The move", (move_words(move), f"The product moved by {product_change:.1e} of its layers' norms."), drawing
        ),
        Section("Bars after it", table=bars_table(move.apply(barcode))),
    ]
    return picture_page(f"One move: {move.kind}", name(barcode), [], sections)


def strata_page(result: Mapping[str, Any], drawing: Drawing) -> str:
    """The page of a fiber; ``result`` is what `fiberscope linear strata --json` prints."""
    strata = result["strata"]
    cards = [
        (
            f"{len(strata) if result['count'] is None else result['count']:,}",
            "strata" if result["count"] is not None else "strata shown",
        ),
        (f"{result['components']:,}", "component" if result["components"] == 1 else "components"),
        (f"{result['fiber_dimension']:,}", "dimension of the fiber"),
        (f"{result['real_components']:,}", f"connected piece{'s' * (result['real_components'] > 1)} over the reals"),
    ]
    says = (
        "A stratum is a way for the ranks to fall out. Each is drawn as its barcode; higher means larger dimension, "
        "and a line says that the lower stratum is a limit of the upper one. Point at a stratum to follow its lines.",
    )
    rows = tuple(
        (
            str(s["id"]),
            str(s["dimension"]),
            "yes" if s["component"] else "",
            "singular" if s["singular"] else "smooth",
            str(s["real_components"]),
            _barcode(s["barcode"]),
        )
        for s in strata[:LISTED]
    )
    head = ("id", "dimension", "component", "points", "real pieces", "bars")
    more = (f"The first {LISTED:,} of {count(len(strata), 'stratum', 'strata')}.",) if len(strata) > LISTED else ()
    sections = [
        Section("Strata by dimension", says, drawing),
        Section("All of them", more, table=Table(head, rows, frozenset({0, 1, 4}))),
    ]
    widths = " → ".join(map(str, result["widths"]))
    return picture_page("Strata of a fiber", f"Widths {widths}, product of rank {result['rank']}", cards, sections)


def _bars(found: Sequence[Sequence[int]]) -> str:
    return " ".join(f"[{i},{k}]" for i, k in found)


def _barcode(found: Sequence[Sequence[int]]) -> str:
    return ", ".join(f"[{i},{k}]" + (f" ×{m}" if m > 1 else "") for i, k, m in found)
