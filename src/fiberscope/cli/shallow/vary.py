"""`--vary "W1[0,0]" "W2[0,1]"`: one or two weights after one flag, and the grid of values of K around them.

The parser knows only options with a fixed number of values, so the names are joined before it looks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from fiberscope.errors import InputError

if TYPE_CHECKING:
    from fiberscope.shallow.landscape import Landscape
    from fiberscope.shallow.model import ShallowModel

FLAG = "--vary"
FILES = (".npz", ".onnx", ".pt2")
_BETWEEN = ";"
_MOST, _LEAST = 81, 25  # values along a weight by default
_PATIENCE = 16_000.0  # units times points that take a few seconds

Vary = Annotated[
    str | None,
    typer.Option(
        FLAG,
        metavar="A [B]",
        help='One or two weights to vary, such as "W1\\[0,0]" "W2\\[0,1]".',
        show_default=False,
    ),
]


class VaryCommand(TyperCommand):
    """A command in which every word after ``--vary`` that is no option and no model file names a weight."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, joined(args))


def joined(arguments: list[str]) -> list[str]:
    """The arguments with the names after ``--vary`` joined.

    >>> joined(["--vary", "W1[0,0]", "b1[1]", "m.npz"])
    ['--vary', 'W1[0,0];b1[1]', 'm.npz']
    """
    out: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument != FLAG and not argument.startswith(f"{FLAG}="):
            out.append(argument)
            continue
        values = [argument.removeprefix(f"{FLAG}=")] if argument != FLAG else []
        while rest and not rest[0].startswith("-") and not rest[0].lower().endswith(FILES):
            values.append(rest.pop(0))
        if not values:
            raise InputError('--vary: no weight given; name one or two, as in --vary "W1[0,0]" "W2[0,1]"')
        out += [FLAG, _BETWEEN.join(values)]
    return out


def named(text: str | None) -> list[str]:
    """The names; `InputError` for none or more than two.

    >>> named("W1[0,0];b1[1]")
    ['W1[0,0]', 'b1[1]']
    """
    if text is None:
        return []
    names = [part.strip() for part in text.split(_BETWEEN) if part.strip()]
    if len(names) not in (1, 2):
        raise InputError(f'--vary: {len(names)} weights given; expected one or two, as in --vary "W1[0,0]" "W2[0,1]"')
    return names


def grid(
    model: ShallowModel, truth: ShallowModel, box: Any, entries: list[str], span: float, points: int | None
) -> Landscape:
    """K around the model; without ``entries``, along the first weights of unit 0."""
    from fiberscope.shallow.landscape import entry_place, landscape

    names = entries or ["W1[0,0]", "W2[0,0]"]
    try:
        places = [entry_place(model, name) for name in names]
    except InputError as error:
        raise InputError(f"{FLAG}: {error}") from error
    if len(set(places)) < len(places):
        raise InputError(f"{FLAG}: {' and '.join(names)} are the same weight; name two different ones")
    here = [float(getattr(model, name)[index]) for name, index in places]
    if points is None:
        room = _PATIENCE / max(model.units + truth.units, 1)
        points = min(max(int(math.sqrt(room)), _LEAST), _MOST) | 1 if len(names) == 2 else 201
    return landscape(model, truth, box, names, [(h - span, h + span) for h in here], points=points)
