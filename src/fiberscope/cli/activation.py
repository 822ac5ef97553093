"""`fiberscope activation`: the affine symmetries of an activation function."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fiberscope.cli.options import Json
from fiberscope.cli.output import emit_json, note, say, writable
from fiberscope.errors import InputError

if TYPE_CHECKING:
    from fiberscope.affine.activation import Activation
    from fiberscope.affine.discovery.findings import Findings
    from fiberscope.affine.gated import Gated


def activation(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A built-in one.", show_default=False)] = None,
    expression: Annotated[
        str | None, typer.Option("--expression", "-e", metavar="E", help="A formula in x, as in 'x*sigmoid(x)'.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Name all activations and all functions, and stop.")] = False,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="F", help="Draw the simplest identity into F (.svg, .png, .pdf).")
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the identities that an activation satisfies, such as gelu(t) - gelu(-t) = t, and say which are proved.

    They decide which other weights give the same network: each one lets units be turned round, merged or traded for
    others. The search says where it looked; the list is called complete only where a theorem is recorded.

    Example: [bold]fiberscope activation --expression "x*sigmoid(x)"[/bold]
    """
    if listed:
        catalogue(as_json)
        return
    if (name is None) == (expression is None):
        raise InputError("activation: give either a NAME or --expression E (--list shows all names)")
    if plot is not None:
        from fiberscope.scene.identity import FORMATS

        writable(plot)
        if plot.suffix.lower() not in FORMATS:
            raise InputError(f"--plot {plot}: the picture's name has to end in .svg, .png or .pdf")
    from fiberscope.affine.gated import GATES, gated

    if name is not None and name in GATES:
        if plot is not None:
            raise InputError(f"--plot: {name} is a function of two numbers; leave --plot out")
        unit = gated(name)
        if as_json:
            emit_json(unit.to_json())
        else:
            show_gated(unit)
        return
    from fiberscope.affine.activation import activation as built_in
    from fiberscope.affine.activation import from_expression

    rho = built_in(name) if name is not None else from_expression(expression or "")
    note(f"searching {rho.name}")
    found = rho.findings
    drawn = None if plot is None else draw(rho, found, plot)
    if as_json:
        emit_json({**found.to_json(), **({"plot": drawn} if plot is not None else {})})
    else:
        show(found, drawn)


def catalogue(as_json: bool) -> None:
    """Every name."""
    from fiberscope.activations.functions import FUNCTIONS, SAME_AS
    from fiberscope.activations.table import LAWS
    from fiberscope.affine.gated import GATES

    constants = ["x", "pi", "e"]
    if as_json:
        emit_json(
            {
                "activations": sorted(LAWS),
                "gated": sorted(GATES),
                "functions": sorted([*FUNCTIONS, *SAME_AS]),
                "constants": constants[1:],
                "variable": "x",
            }
        )
        return
    say(
        "Activations",
        *(f"  {n}" + (f"({law.parameter:g})" if law.parameter else "") for n, law in sorted(LAWS.items())),
    )
    say("", "Gated units", *(f"  {name:12} v*{gate}(g)" for name, gate in sorted(GATES.items())))
    say("", f"An expression may use numbers, {', '.join(constants)}, + - * / ** and brackets, and these functions")
    say(*(f"  {name:12} {row.meaning}" for name, row in sorted(FUNCTIONS.items())))
    say(*(f"  {other:12} the same as {name}" for other, name in sorted(SAME_AS.items())))


def show(found: Findings, drawn: Path | None) -> None:
    """The findings in words."""
    say(f"{found.name}: rho(x) = {found.expression}" if found.expression != found.name else f"rho(x) = {found.name}")
    if found.same_as:
        say(f"This is {found.same_as} (proved).")
    scales = {
        "one": "no scaling",
        "sign": "a sign for each unit",
        "positive": "a positive scale for each unit",
        "nonzero": "a nonzero scale for each unit",
    }[found.scaling]
    group = "every invertible matrix" if found.mixing == "general_linear" else f"reorderings, and {scales}"
    say("", f"Passes through a layer without biases: {group}.")
    if found.one_unit:
        say("", "One unit:")
        say(*(f"  {law}{proof(law.proved)}" for law in found.one_unit))
    if found.symmetries:
        say("", "Several units:")
        say(*(f"  {relation}{proof(relation.proved, relation.error_bound)}" for relation in found.symmetries))
    if found.families:
        say("", "In general:", *(f"  {line}" for line in found.families))
    if found.almost_everywhere:
        say("", "Except at single points:")
        for relation in found.almost_everywhere:
            say(f"  {relation}   (not at t = {', '.join(str(x) for x in relation.except_at)})")
    if not (found.one_unit or found.symmetries):
        say("", "No identity was found.")
    say("", f"Searched: {found.dictionary.to_json()['columns']}, and shifts off this grid.")
    if found.omitted or found.refuted:
        say(f"{found.omitted} more identities were left out; {found.refuted} candidates were refuted at fresh points.")
    say(f"Complete: {'yes' if found.complete else 'not known'}. {found.theorem[:1].upper()}{found.theorem[1:]}.")
    if drawn is not None:
        say(f"Drawn: {drawn}")


def show_gated(unit: Gated) -> None:
    """A gated unit in words."""
    say(f"{unit.name}: v*{unit.gate}(g), a value v times a gate", "", "One unit:")
    for value, gate, factor in unit.laws:
        scaled = f"(b v) {unit.gate}(g)" if value != "1" else f"v {unit.gate}({'b' if 'b' in gate else gate} g)"
        condition = next((c for c in (value, gate) if "b" in c), "")
        say(f"  {scaled} = {factor} v {unit.gate}(g)" + (f"   ({condition})" if condition else ""))
    if unit.swap:
        say("  value and gate may trade places")


def proof(proved: bool, bound: float | None = None) -> str:
    """What stands behind a line."""
    if proved:
        return ""
    return "   (not proved)" if bound is None else f"   (not proved; error below {bound:.1g} at fresh points)"


def draw(rho: Activation, found: Findings, path: Path) -> Path:
    """The picture of the simplest identity."""
    from fiberscope.affine.relation import has_parameter, value
    from fiberscope.scene.identity import draw_identity

    laws = [law for law in found.one_unit if law.condition is None]
    relations = [*found.symmetries, *(law.relation() for law in laws)]
    plainly = [r for r in relations if not any(has_parameter(v) for term in r.terms for v in term)]
    if not plainly:
        raise InputError(f"--plot: no identity with fixed numbers was found for {rho.name[:60]}; leave --plot out")
    best = plainly[0]
    terms = [(float(value(a)), float(value(b)), float(value(g))) for a, b, g in best.terms]
    draw_identity(path, rho.value, terms, float(value(best.constant)), float(value(best.linear)), str(best))
    return path
