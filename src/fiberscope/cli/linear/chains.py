"""`fiberscope linear chains`: the linear networks inside a model."""

from __future__ import annotations

from fiberscope.cli.linear.words import chain_of, table
from fiberscope.cli.options import Json, Model
from fiberscope.cli.output import emit_json, note, say


def chains(model: Model, as_json: Json = False) -> None:
    """List the linear chains inside a model: matrices in a row without an activation between them.

    Two linear layers in a row, a low-rank adapter, the query and key (or value and output) of an attention head: each
    is a linear network of its own, and --chain ID hands it to the other commands.

    Example: [bold]fiberscope linear chains model.onnx[/bold]
    """
    import fiberscope as fs
    from fiberscope.linear.chains import chains as find

    note(f"reading {model}")
    found = find(fs.load(model))
    if as_json:
        emit_json({"path": model, "chains": [chain.to_json() for chain in found]})
        return
    if not found:
        say("No two matrices in a row without an activation between them.")
        return
    rows = [(c.id, chain_of(c.widths), " then ".join(" + ".join(names) for names in c.weights)) for c in found]
    table(("id", "widths", "weights"), rows)
    say("", f"Look at one with: fiberscope linear inspect {model} --chain {found[0].id}")
