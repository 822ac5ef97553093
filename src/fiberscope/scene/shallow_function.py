"""The picture of a function with one hidden layer, whatever its number of inputs."""

from __future__ import annotations

from typing import Any

from fiberscope.errors import InputError
from fiberscope.scene.drawing import Drawing
from fiberscope.shallow.model import ShallowModel
from fiberscope.shallow.normal_form import NormalForm


def function_drawing(model: ShallowModel, form: NormalForm, *, box: Any = None, output: int = 0) -> Drawing:
    """One input: the graph. Two: regions, boundaries and folds of one output. More: the kinks of all folds.

    Errors: InputError for an output that there is not, or a box without interior.

    >>> from fiberscope.shallow.examples import four_hyperplanes
    >>> from fiberscope.shallow.normal_form import normal_form
    >>> function_drawing(four_hyperplanes(), normal_form(four_hyperplanes())).title
    '4 folds in 2 inputs'
    """
    if output >= model.outputs:
        raise InputError(f"output {output}: the function has {model.outputs} of them, counted from 0")
    folds = f"{form.folds:,} fold{'' if form.folds == 1 else 's'}"
    which = "" if model.outputs == 1 else f"Output {output} of {model.outputs}. "
    title = f"{folds} in {model.inputs} input{'' if model.inputs == 1 else 's'}"
    if model.inputs == 1:
        from fiberscope.scene.shallow_graph import graph_drawing

        return graph_drawing(model, form, title, box=box)
    if model.inputs == 2:
        from fiberscope.scene.shallow_plane import plane_picture
        from fiberscope.scene.shallow_plane_drawing import plane_drawing

        picture = plane_picture(model, form, box, output)
        units = f"{model.units} hidden unit{'' if model.units == 1 else 's'}"
        seen = ", heights from a grid" if picture.regions is None else f", {picture.regions:,} linear regions in view"
        return plane_drawing(picture, title, f"{which}{units}{seen}.")
    from fiberscope.scene.shallow_kinks import kinks_drawing

    return kinks_drawing(form, title)
