"""With which certificate, and believing whom, does a line speak TLS? One context for each side, made anew when a file changes.

Settings as BCP 195 (RFC 9325, RFC 8996) and the option STX of ITI-19 want them: TLS 1.2 and 1.3, forward secrecy and authenticated
encryption only, no compression, no renegotiation, keys and signatures of OpenSSL's security level 2. See decision 0015.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path

from labmw.errors import CertificateError
from labmw.tls.settings import Tls
from labmw.tls.unusable import unreadable, unusable

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL:!aDSS:!PSK:@SECLEVEL=2"
"""For TLS 1.2, the best first. DHE stands last: RFC 9325 would rather not, ITI-19 requires it; those of TLS 1.3 are all good."""

_Seen = tuple[tuple[int, int, int] | None, ...]


class Credentials:
    """The context of one line for its next handshake. Open connections keep the one that they began with."""

    def __init__(self, tls: Tls, *, server: bool) -> None:
        self.tls, self.server = tls, server
        self.problem = ""
        """Why the files as they are now cannot be used; a line goes on with what they held before."""
        self.reason: Mapping[str, str] = {}
        """The same as a phrase and its facts."""
        self._context: ssl.SSLContext | None = None
        self._seen: _Seen | None = None

    def context(self) -> ssl.SSLContext:
        """The context for a new handshake; raises CertificateError when the files have never been usable."""
        self.refresh()
        if self._context is None:
            reason = dict(self.reason)
            raise CertificateError(self.problem, reason.pop("reason", ""), reason)
        return self._context

    def refresh(self) -> bool:
        """Read the files again if one has changed; True when what they hold is now used in place of something else."""
        seen = tuple(_state(path) for path in (self.tls.certificate, self.tls.key, self.tls.trusted, self.tls.revoked))
        if seen == self._seen:
            return False
        self._seen = seen
        try:
            made = build(self.tls, server=self.server)
        except CertificateError as error:
            # Certificate and key are two files, and for a moment they do not fit. The next look will tell.
            self.problem, self.reason = str(error), {"reason": error.code, **error.facts}
            return False
        renewed = self._context is not None
        self._context, self.problem, self.reason = made, "", {}
        return renewed

    def server_name(self, host: str) -> str | None:
        """The name that a client asks for (SNI, which RFC 9325 § 3.7 requires); None where there is only an address."""
        name = self.tls.peer_name or host
        try:
            ipaddress.ip_address(name.partition("%")[0])
        except ValueError:
            return name
        return None


def build(tls: Tls, *, server: bool) -> ssl.SSLContext:
    """A new context from the files as they are now; raises CertificateError naming the file and the remedy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if tls.minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.verify_flags |= (
        ssl.VERIFY_X509_PARTIAL_CHAIN
    )  # a certificate in `trusted` is believed itself (ITI-19, direct trust)
    context.check_hostname = bool(tls.peer_name) and not server
    context.verify_mode = ssl.CERT_NONE if server and not tls.mutual else ssl.CERT_REQUIRED
    if tls.trusted:
        _load_trusted(context, tls.trusted)
    if tls.revoked:
        _load_revoked(context, tls.revoked)
    if tls.certificate:
        _load_own(context, tls)
    return context


def _load_trusted(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise unusable("tls-file-no-authorities", file=path, words=error.reason or error) from None
    except OSError as error:
        raise unreadable(path, error) from None


def _load_revoked(context: ssl.SSLContext, path: str) -> None:
    """The peer's own certificate is looked up; without a list of its authority that holds today the handshake fails (RFC 5280 § 6.3)."""
    try:
        if b"-----BEGIN X509 CRL-----" not in Path(path).read_bytes():
            raise unusable("tls-file-no-list", file=path)
        context.load_verify_locations(cafile=path)
    except ssl.SSLError as error:
        raise unusable("tls-file-bad-list", file=path, words=error.reason or error) from None
    except OSError as error:
        raise unreadable(path, error) from None
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _load_own(context: ssl.SSLContext, tls: Tls) -> None:
    key = tls.key or tls.certificate
    for path in (tls.certificate, key):
        try:
            with Path(path).open("rb"):  # OpenSSL does not say which of the two files is missing
                pass
        except OSError as error:
            raise unreadable(path, error) from None
    try:
        context.load_cert_chain(tls.certificate, tls.key or None, password=_no_passphrase)
    except _Encrypted:
        raise unusable("tls-key-encrypted", file=key) from None
    except ssl.SSLError as error:
        raise _unfit_pair(tls.certificate, key, error) from None


def _unfit_pair(certificate: str, key: str, error: ssl.SSLError) -> CertificateError:
    facts = {"certificate": certificate, "key": key, "words": error.reason or error}
    if error.reason == "KEY_VALUES_MISMATCH":
        return unusable("tls-key-of-another", **facts)
    if error.reason in ("EE_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "CA_KEY_TOO_SMALL"):
        return unusable("tls-key-weak", **facts)
    return unusable("tls-pair-unusable", **facts)


class _Encrypted(Exception):
    """The key wants a passphrase."""


def _no_passphrase() -> str:
    raise _Encrypted


def _state(path: str) -> tuple[int, int, int] | None:
    """What tells one state of a file from another; a link that is changed to another file counts too."""
    if not path:
        return None
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
