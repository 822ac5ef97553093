"""`--widths 4 4 4`, `--widths 4,4,4` and `--widths=4,4,4`: several numbers after one flag.

The parser knows only options with a fixed number of values, so the numbers are joined by commas before it looks.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from fiberscope.errors import InputError

FLAG = "--widths"
_NEGATIVE = re.compile(r"-\d")


class WidthsCommand(TyperCommand):
    """A command without positional arguments: everything between ``--widths`` and the next option belongs to it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, joined(args))


def joined(arguments: list[str]) -> list[str]:
    """The arguments with the values of ``--widths`` joined.

    >>> joined(["--widths", "4", "4", "4", "--rank", "0"])
    ['--widths', '4,4,4', '--rank', '0']
    >>> joined(["--json", "--widths=4,4", "5"])
    ['--json', '--widths', '4,4,5']
    """
    out: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument != FLAG and not argument.startswith(f"{FLAG}="):
            out.append(argument)
            continue
        values = [argument.removeprefix(f"{FLAG}=")] if argument != FLAG else []
        while rest and (not rest[0].startswith("-") or _NEGATIVE.match(rest[0])):
            values.append(rest.pop(0))
        out += [FLAG, ",".join(values)] if values else [FLAG]
    return out


def widths(text: str) -> list[int]:
    """The numbers; `InputError` naming what is none.

    >>> widths("784,128,10")
    [784, 128, 10]
    """
    out = []
    for part in (part.strip() for part in text.split(",") if part.strip()):
        if not re.fullmatch(r"[+-]?[0-9]{1,9}", part):
            raise InputError(
                f"--widths: {part!r} is not a whole number; give the widths from input to output, as in 4 3 5"
            )
        if int(part) < 1:
            raise InputError(f"--widths: {part} is no width; every layer has at least 1 unit")
        out.append(int(part))
    if len(out) < 2:
        raise InputError(
            f"--widths: {len(out)} given; expected at least two, from the input to the output, as in 4 3 5"
        )
    return out


Widths = Annotated[
    str,
    typer.Option(
        FLAG,
        metavar="D0 D1 .. DL",
        help="The widths of the layers from input to output; a comma list will do.",
        show_default=False,
    ),
]
Rank = Annotated[int, typer.Option("--rank", metavar="R", help="The rank of the product W.")]
