"""Check a certificate with the independent checker, for networks that are in memory or on disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fiberscope.equivalence.certificate import Certificate
from fiberscope.equivalence.rigorous import checker_source
from fiberscope.errors import CertificateError

if TYPE_CHECKING:
    from fiberscope.network import Network


def verify(
    certificate: Certificate | str | Path | bytes | None, a: Network | str | Path, b: Network | str | Path
) -> Any:
    """The report of ``fiberscope_verify``: ``valid``, ``checked`` and ``reason``.

    Files are read by the checker itself; networks in memory are handed over in neutral form.
    Errors: CertificateError when there is no certificate.

    >>> verify(compare(a, b).certificate, a, b).valid                            # doctest: +SKIP
    True
    """
    import fiberscope_verify

    if certificate is None:
        raise CertificateError("there is no certificate to verify (the comparison was undecided)")
    proof = certificate.to_bytes() if isinstance(certificate, Certificate) else certificate
    if isinstance(proof, Path):
        proof = str(proof)
    return fiberscope_verify.verify(proof, _source(a), _source(b))


def _source(net: Network | str | Path) -> Any:
    return str(net) if isinstance(net, (str, Path)) else checker_source(net)
