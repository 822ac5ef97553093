"""Draws the pictures of docs/shallow.md: a function of two inputs, a valley of K, a fiber, and reversals.

python scripts/make_shallow_pictures.py         # into docs/shallow_*.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fiberscope.scene.drawing_svg import svg
from fiberscope.scene.shallow_cells import cells_picture
from fiberscope.scene.shallow_cells_drawing import cells_drawing
from fiberscope.scene.shallow_function import function_drawing
from fiberscope.scene.shallow_potential import potential_drawing
from fiberscope.scene.shallow_reversals import reversals_drawing
from fiberscope.shallow import examples
from fiberscope.shallow.fiber import Fiber
from fiberscope.shallow.landscape import landscape
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import normal_form
from fiberscope.shallow.reversals import reversals

# Eight units; 2 and 3 lie on one boundary, and 6 and 7 on another, where their kinks cancel.
PLANE = ShallowModel(
    np.array([[1, 0.5], [-0.75, 1], [0.25, -1], [-0.5, 2], [-1, -0.75], [1, -1], [0.5, 0.125], [-0.5, -0.125]]),
    np.array([-0.5, 0.25, 0.75, -1.5, 0.5, 1.25, 1.125, -1.125]),
    np.array([[1, 0.75, 0.5, 0.5, -1.25, 0.375, 1, -1]]),
    np.array([0.0]),
)


def pictures() -> dict[str, str]:
    """The file names and their texts."""
    shared, sixth = examples.shared_boundary(0.25), examples.m_symmetric(6)
    spare = examples.reversal_without_annihilation().truth
    ranges = [(-1.25, 2.25), (-1.25, 2.25)]
    valley = landscape(shared.model, shared.truth, shared.box, ["W1[0,0]", "W1[1,0]"], ranges, points=41)
    drawings = {
        "shallow_function.svg": function_drawing(PLANE, normal_form(PLANE), box=(-2.5, 2.5)),
        "shallow_valley.svg": potential_drawing(valley),
        "shallow_fiber.svg": cells_drawing(cells_picture(Fiber.of(spare, 3))),
        "shallow_reversals.svg": reversals_drawing(sixth, reversals(sixth)),
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
