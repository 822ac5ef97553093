"""`fiberscope compress`: fewer units, the same function, with a proof per unit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from fiberscope.cli.box import box as parse_box
from fiberscope.cli.options import Json, Model, Out, Seed
from fiberscope.cli.output import emit_json, note, say, writable
from fiberscope.cli.progress import progress


def compress(
    model: Model,
    out: Out,
    box: Annotated[
        tuple[str, str] | None,
        typer.Option("--box", metavar="LO HI", help="The inputs that matter: two numbers or comma lists, as in -1 1."),
    ] = None,
    vnnlib: Annotated[
        Path | None,
        typer.Option("--vnnlib", metavar="F", help="Take the box or polytope of a VNN-LIB property's inputs."),
    ] = None,
    budget: Annotated[
        float, typer.Option("--budget", metavar="SECONDS", help="Time for proofs; what is open then stays.")
    ] = 120.0,
    certificate: Annotated[
        Path | None, typer.Option("--certificate", metavar="F", help="Write the proof here; `verify` checks it.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="F", help="Also write a self-contained report page with a picture.")
    ] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Write a smaller network that computes the same function, on all inputs, a box or a polytope.

    Nothing is approximated: a unit goes only when it is proved to do nothing, to repeat another, or to be linear on the
    box and carried by fewer units. What cannot be decided in time stays. There is no lossy mode and no tolerance to
    set: this command never loses anything. It exits with 0 also when nothing could be removed.

    Without a box only what holds for every input is removed, exactly. On a box a ReLU network often loses more than
    half its units; with smooth activations constant and repeated units go even where that rounds, within a bound.
    Networks with convolutions or branches lose whole channels, on a box also those that are constant
    or linear there, as ranges show.

    Example: [bold]fiberscope compress model.onnx -o small.onnx --vnnlib property.vnnlib --certificate proof.fsc[/bold]
    (add [bold]--html report.html[/bold] for a page with a picture)
    """
    from fiberscope.errors import InputError

    if box is not None and vnnlib is not None:
        raise InputError("--box and --vnnlib both state the inputs; give one of them")
    domain: Any = parse_box(box)
    polytope: Any = None
    writable(out)
    writable(certificate)
    writable(html)
    places = {"the model that is read": model, "the property": vnnlib, "the smaller model": out}

    import fiberscope as fs
    from fiberscope.equivalence.compression.destination import apart

    apart({**places, "the certificate": certificate, "the report page": html})

    note(f"reading {model}")
    net = fs.load(model)
    if vnnlib is not None:
        from fiberscope.equivalence.vnnlib import input_region

        domain, polytope = input_region(vnnlib, net.n_in)
    options: dict[str, Any] = {"budget": budget, "seed": seed, "out": out, "certificate": certificate}
    with progress(budget) as tell:
        result = fs.compress(net, box=domain, polytope=polytope, say=tell, **options).to_json()
    proved = certificate is not None and result.get("no_certificate") is None
    result = {**result, "path": str(out), "certificate": str(certificate) if proved else None}
    result["html"] = None if html is None else str(html)
    if html is not None:
        from fiberscope.network.origin import write_bytes
        from fiberscope.report.compression_page import compression_page

        page = compression_page(model, result, written=out, certificate=result["certificate"])
        write_bytes(html, page.encode())
    if as_json:
        emit_json(result)
    else:
        show(result)


def show(result: Mapping[str, Any]) -> None:
    """Layer by layer, then what it rests on."""
    box = "polytope" if "G" in result["domain"] else "box"
    where = "for every input" if result["domain"] == "all" else f"on the {box} asked"
    units = f"{result['units_before']} -> {result['units_after']} hidden units"
    numbers = f"{result['parameters_before']:,} -> {result['parameters_after']:,} parameters"
    same = "not proved to be the same function" if result["error_bound"] is None else f"the same function {where}"
    say(f"{units}, {numbers}: {same}.")
    for number, layer in enumerate(result["layers"], 1):
        words = [f"{layer[key]} {key}" for key in ("dead", "constant", "duplicate", "folded", "open") if layer[key]]
        say(f"  layer {number}: {layer['before']:4d} -> {layer['after']:4d}   {', '.join(words)}".rstrip())
    if all(result[f"{what}_after"] == result[f"{what}_before"] for what in ("units", "parameters")):
        why = "Nothing was removed" if result["notes"] else "Nothing could be proved redundant"
        say(f"{why}: the model is written as it was.")
    norms, scale = result["methods"].get("batch norm", 0), result["output_scale"]
    if norms:
        say(f"{norms} batch norm{'s' if norms > 1 else ''} folded.")
    if result["error_bound"] is None:
        say(f"No bound is known: outputs moved by at most {result['difference']:.3g} where compared.")
    elif result["error_bound"]:
        bound = f"outputs move by at most {result['error_bound']:.3g}"
        say(f"Stored numbers are rounded: {bound} (outputs reach {scale:.3g}).")
        if result["error_bound"] >= scale:
            say("This bound says little: it grows with every layer, and faster on a wide box.")
    else:
        say("The weights are exact.")
    if result["open_units"]:
        units = "1 unit" if result["open_units"] == 1 else f"{result['open_units']} units"
        say(f"{units} could not be decided and stayed.")
    say(*result["notes"])
    if result.get("no_certificate"):
        say(f"No certificate: {result['no_certificate']}.")
    say(f"Written to {result['path']}.")
    if result["html"]:
        say(f"Report: {result['html']}")
