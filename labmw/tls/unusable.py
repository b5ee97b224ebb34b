"""Why can a file of certificates, keys or revocation lists not be used? One sentence of the catalogue, in every language."""

from __future__ import annotations

from labmw.errors import CertificateError
from labmw.phrases import say


def unusable(code: str, **facts: object) -> CertificateError:
    """The error that a phrase says; `words` is what the system or OpenSSL says of it."""
    told = {name: str(fact) for name, fact in facts.items()}
    return CertificateError(say(code, "en", **told), code, told)


def unreadable(path: object, error: OSError) -> CertificateError:
    """A file that is not there, or not for us to read."""
    return unusable("tls-file-unreadable", file=path, words=error.strerror or error)
