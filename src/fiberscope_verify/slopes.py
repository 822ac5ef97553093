"""Which products with a stored tensor are the negative side of a leaky ReLU whose slope is stored (PReLU)."""

from __future__ import annotations

from .core import Graph, Node


def users_of(g: Graph) -> dict[int, list[Node]]:
    """The values that read a value."""
    users: dict[int, list[Node]] = {}
    for node in g.nodes:
        for v in set(node.args):
            users.setdefault(v, []).append(node)
    return users


def slopes_only(g: Graph, users: dict[int, list[Node]], product: Node) -> bool:
    """Whether u w is only read as the negative side of a leaky ReLU of x: chosen against u = x, or with
    u = -relu(-x) added to relu(x)."""
    v = g.index[product]
    readers = users.get(v, [])

    def leaky(reader: Node, u: int) -> bool:
        if reader.op == "where":
            return v in reader.args[1:] and u in reader.args[1:]
        others = [g.nodes[i] for i in reader.args if i != v]
        if reader.op != "add" or len(others) != 1 or others[0].attrs[:1] != ("relu",):
            return False
        path, at = [], g.nodes[u]
        while at.op == "map" and len(path) < 3:
            path.append(at.attrs[0])
            end, at = at.args[0], g.nodes[at.args[0]]
        return path == ["neg", "relu", "neg"] and (end,) == others[0].args

    return bool(readers) and any(all(leaky(r, u) for r in readers) for u in product.args)
