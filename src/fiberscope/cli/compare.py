"""`fiberscope compare`: are two networks the same function?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fiberscope.cli.box import box as parse_box
from fiberscope.cli.options import Json, ModelA, ModelB, Seed
from fiberscope.cli.output import NO, UNDECIDED, YES, emit_json, note, say, writable

STATUS = {"equal": YES, "different": NO, "undecided": UNDECIDED}


def compare(
    a: ModelA,
    b: ModelB,
    box: Annotated[
        tuple[str, str] | None,
        typer.Option("--box", metavar="LO HI", help="The inputs that matter: two numbers or comma lists, as in -1 1."),
    ] = None,
    tol: Annotated[
        float | None,
        typer.Option("--tol", metavar="T", help="Accept a proof that the outputs differ by at most T on the box."),
    ] = None,
    ulp: Annotated[
        int,
        typer.Option("--ulp", metavar="N", min=0, help="Accept weights rounded by up to N units in their last place."),
    ] = 8,
    exact: Annotated[bool, typer.Option("--exact", help="Accept only a proof in exact arithmetic.")] = False,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="F", help="Write the proof here; `verify` checks it.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Decide whether two networks are the same function: equal with proof, different with a witness, or undecided.

    Example: [bold]fiberscope compare a.onnx b.onnx --box -1 1 --certificate proof.fsc[/bold]
    """
    domain = parse_box(box)
    writable(certificate)

    import fiberscope as fs

    note(f"reading {a} and {b}")
    first, second = fs.load(a), fs.load(b)
    note("comparing")
    verdict = fs.compare(first, second, box=domain, tol=tol, ulp=ulp, exact=exact, seed=seed, certificate=certificate)
    result = verdict.to_json()
    if as_json:
        emit_json({**result, "seed": seed})
    else:
        show(result)
    raise typer.Exit(STATUS[result["verdict"]])


def show(result: Mapping[str, Any]) -> None:
    """The verdict and what stands behind it."""
    on = "for every input" if result["domain"] == "all" else "on the box asked"
    if result["verdict"] == "equal":
        say(f"Equal {on}. {strength(result)}")
    elif result["verdict"] == "different":
        witness = result["witness"]
        say("Different.")
        if witness:
            say(f"At the input {shorten(witness['input'])} the outputs are")
            say(f"  A  {shorten(witness['a'])}", f"  B  {shorten(witness['b'])}")
            if witness.get("gap_exact") is not None and not witness["gap"]:
                say(f"and differ by at least {witness['gap_exact']} (less than floats can show).")
            else:
                say(f"and differ by at least {witness['gap']:.6g} (rigorous lower bound).")
    else:
        say("Undecided: neither a proof nor a difference was found.")
        tried = result.get("tried") or []
        say(f"Tried: {', '.join(map(str, tried))}" if tried else "Nothing could be tried.")
        if result.get("error_bound") is not None:
            say(f"The outputs differ by at most {result['error_bound']:.6g} {on}.")
    if result.get("certificate"):
        say(f"Certificate: {result['certificate']}")


def strength(result: Mapping[str, Any]) -> str:
    """What kind of proof it is, in a sentence."""
    if result["strength"] == "exact":
        return "Proved in exact arithmetic."
    if result["strength"] == "rounding":
        ulps = result["backward_error_ulp"]
        if result["method"] == "names":
            return f"Moving every weight by at most {ulps:.3g} ulp makes the two exactly equal."
        return f"B's weights are those of A transformed and rounded, by at most {ulps:g} ulp per weight."
    return f"Proved: the outputs differ by at most {result['error_bound']:.6g}."


def shorten(numbers: list[float], most: int = 8) -> str:
    """'[0.1, -2, ...]'"""
    shown = ", ".join(f"{number:.6g}" for number in numbers[:most])
    return f"[{shown}{', ...' if len(numbers) > most else ''}]"
