"""verify: read the certificate and both models, dispatch on the method, report."""

from __future__ import annotations

import os

from .certificate import Certificate, read_certificate
from .chain import Chain, chain_of
from .chain_steps import check_chain
from .lower import lower
from .model import Model
from .read import read_model
from .read_neutral import content_sha256
from .report import Reject, Report, Trouble, need

METHODS = {  # method -> (claim, strengths)
    "same-bytes": ("equal", {"exact"}),
    "chain": ("equal", {"exact", "rounding"}),
    "shallow": ("equal", {"exact"}),
    "reversal": ("equal", {"exact"}),
    "graph": ("equal", {"exact", "rounding"}),
    "names": ("equal", {"exact", "rounding"}),
    "witness": ("different", {None}),
    "bound": ("equal", {"bound"}),
    "stable": ("equal", {"bound"}),
    "lipschitz": ("equal", {"bound"}),
    "channels": ("equal", {"exact", "bound"}),
}


def read_chain(source: object) -> Chain:
    """The exact chain of a model (path or neutral dict); Reject if the network is not a chain."""
    model = read_model(source)
    return chain_of(lower(model), model)


def verify(certificate: str | os.PathLike | bytes, a: object, b: object) -> Report:
    """Check a certificate about two models (paths or neutral dicts); Trouble only if a file cannot be opened.

    >>> verify(b"not a certificate", "a.onnx", "b.onnx").valid
    False
    """
    checked: list[str] = []
    try:
        _verify(read_certificate(certificate), a, b, checked)
    except Trouble:
        raise
    except Reject as error:
        return Report(False, tuple(checked), str(error))
    except Exception as error:  # nothing but a clean run counts as valid
        return Report(False, tuple(checked), f"the checker could not follow ({type(error).__name__}: {error!s:.200})")
    return Report(True, tuple(checked), None)


def _verify(certificate: Certificate, a: object, b: object, checked: list[str]) -> None:
    need(certificate.method in METHODS, f"unknown method {str(certificate.method)[:40]!r}")
    claim, strengths = METHODS[certificate.method]
    need(certificate.claim == claim and certificate.strength in strengths, "claim and strength do not fit the method")
    need(
        (certificate.max_ulp is not None) == (certificate.strength == "rounding"), "max_ulp goes with strength rounding"
    )
    need(
        (certificate.error_bound is not None) == (certificate.strength == "bound"),
        "error_bound goes with strength bound",
    )
    models = read_model(a), read_model(b)
    for model, entry in zip(models, certificate.models, strict=True):
        need(model.sha256 == entry["sha256"], "the certificate is about other models (sha256 differs)")
        need(model.format == entry["format"], "the certificate names another model format")
    checked.append("hashes of both models")
    METHOD[certificate.method](certificate, *models, checked, (a, b))
    unused = set(certificate.arrays) - certificate.used
    need(not unused, f"the array {sorted(unused)[:1]} is not used")


def same_bytes(certificate: Certificate, a: Model, b: Model, checked: list[str], sources: tuple) -> None:
    need(certificate.steps == [], "same-bytes has no steps")
    need(a.sha256 == b.sha256, "the two models have different bytes")
    dicts = [s for s in sources if isinstance(s, dict)]
    if dicts:  # the hash of a dict is only its own word
        need(
            len(dicts) == 2 and content_sha256(dicts[0]) == content_sha256(dicts[1]), "the two models differ in content"
        )
    checked.append("same bytes")


def chain(certificate: Certificate, a: Model, b: Model, checked: list[str], _: tuple) -> None:
    first, second = chain_of(lower(a), a), chain_of(lower(b), b)
    checked.append("both models are chains")
    certificate.box(first.n_in)
    check_chain(certificate, first, second, checked)


def shallow(certificate: Certificate, a: Model, b: Model, checked: list[str], _: tuple) -> None:
    from .shallow_steps import check_shallow

    check_shallow(certificate, chain_of(lower(a), a), chain_of(lower(b), b), checked)


def reversal(certificate: Certificate, a: Model, b: Model, checked: list[str], _: tuple) -> None:
    from .reversal import check_reversal

    check_reversal(certificate, chain_of(lower(a), a), chain_of(lower(b), b), checked)


def graph(certificate: Certificate, a: Model, b: Model, checked: list[str], _: tuple) -> None:
    from .graph_steps import check_graph

    check_graph(certificate, a, b, checked)


def names(certificate: Certificate, a: Model, b: Model, checked: list[str], _: tuple) -> None:
    from .names_steps import check_names

    check_names(certificate, a, b, checked)


def witness(certificate: Certificate, a: Model, b: Model, checked: list[str], _: tuple) -> None:
    from .witness import check_witness

    check_witness(certificate, a, b, checked)


def bound(certificate: Certificate, a: Model, b: Model, checked: list[str], _: tuple) -> None:
    from .bound import check_bound

    check_bound(certificate, chain_of(lower(a), a), chain_of(lower(b), b), checked)


def stable(certificate: Certificate, a: Model, b: Model, checked: list[str], _: tuple) -> None:
    from .stable_steps import check_stable

    check_stable(certificate, chain_of(lower(a), a), chain_of(lower(b), b), checked)


def lipschitz(certificate: Certificate, a: Model, b: Model, checked: list[str], _: tuple) -> None:
    from .lipschitz import check_lipschitz

    check_lipschitz(certificate, chain_of(lower(a), a), chain_of(lower(b), b), checked)


def channels(certificate: Certificate, a: Model, b: Model, checked: list[str], _: tuple) -> None:
    from .channel_errors import check_bound
    from .channel_steps import check_channels

    walk = check_channels(certificate, a, b, checked)
    if certificate.strength == "bound":
        check_bound(certificate, walk, a, checked)


METHOD = {
    "same-bytes": same_bytes,
    "chain": chain,
    "shallow": shallow,
    "reversal": reversal,
    "graph": graph,
    "names": names,
    "witness": witness,
    "bound": bound,
    "stable": stable,
    "lipschitz": lipschitz,
    "channels": channels,
}
