"""Draws the pictures of docs/linear.md: strata, a basis flow, and a move.

python scripts/make_linear_pictures.py         # into docs/linear_*.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from fiberscope.linear.barcode import Barcode
from fiberscope.linear.fiber import Fiber
from fiberscope.linear.order import BarMove, covers
from fiberscope.scene.drawing_svg import svg
from fiberscope.scene.flow import flow_picture
from fiberscope.scene.flow_drawing import flow_drawing
from fiberscope.scene.hasse import Stratum, hasse_picture
from fiberscope.scene.hasse_drawing import hasse_drawing

EXAMPLE = Barcode.from_bars(
    3, {(0, 3): 2, (0, 1): 1, (0, 0): 2, (1, 2): 1, (2, 3): 1, (2, 2): 2, (3, 3): 1}
)  # widths 5, 4, 6, 4, rank 2


def pictures() -> dict[str, str]:
    """The file names and their texts."""
    strata = list(Fiber((2, 4, 3, 2), 1).strata())
    place = {stratum.barcode: number for number, stratum in enumerate(strata)}
    edges = [(place[s.barcode], place[move.apply(s.barcode)]) for s in strata for move in covers(s.barcode)]
    drawn = [Stratum(n, s.barcode, s.dimension, s.is_component, s.singular) for n, s in enumerate(strata)]
    flow = flow_picture(EXAMPLE)
    drawings = {
        "linear_strata.svg": hasse_drawing(hasse_picture(drawn, edges)),
        "linear_flow.svg": flow_drawing(flow),
        "linear_move.svg": flow_drawing(flow, BarMove((0, 1), (1, 2)), "A move up from widths 5, 4, 6, 4, rank 2"),
    }
    return {name: svg(drawing, standalone=True) for name, drawing in drawings.items()}


def main() -> None:
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=root / "docs", help="the folder to write into")
    folder: Path = parser.parse_args().out
    for name, text in pictures().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"{name}: {len(text):,} bytes")


if __name__ == "__main__":
    main()
