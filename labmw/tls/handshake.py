"""Why did a TLS handshake fail, and what is to be done? From the words of OpenSSL to one sentence that names the remedy.

The numbers are X509_V_ERR_… of OpenSSL (openssl-verify(1)); the reasons are its names of errors, of which those with ALERT were sent
by the other side: then it is the other side that objects, and its log knows more.
"""

from __future__ import annotations

import re
import ssl

from labmw.errors import HandshakeError
from labmw.phrases import say

_VERIFICATION = {
    3: "tls-no-list",
    11: "tls-list-ended",
    12: "tls-list-ended",
    23: "tls-revoked",
    9: "tls-not-yet",
    10: "tls-expired",
    18: "tls-untrusted",  # a certificate that vouches for itself, and is not in `trusted`
    19: "tls-untrusted",
    20: "tls-untrusted",
    21: "tls-untrusted",
    24: "tls-purpose",
    26: "tls-purpose",
    62: "tls-name",
    66: "tls-weak",
    67: "tls-weak",
    68: "tls-weak",
}
_REASONS = {
    "WRONG_VERSION_NUMBER": "tls-plain",
    "HTTP_REQUEST": "tls-plain",
    "PACKET_LENGTH_TOO_LONG": "tls-plain",
    "UNKNOWN_PROTOCOL": "tls-plain",
    "UNEXPECTED_MESSAGE": "tls-plain",
    "BAD_RECORD_TYPE": "tls-plain",
    "RECORD_LAYER_FAILURE": "tls-plain",
    "UNSUPPORTED_PROTOCOL": "tls-version",
    "VERSION_TOO_LOW": "tls-version",
    "TLSV1_ALERT_PROTOCOL_VERSION": "tls-version",
    "NO_SHARED_CIPHER": "tls-cipher",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "tls-cipher",
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": "tls-cipher",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "tls-shows-none",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "tls-wants-ours",
    "TLSV1_ALERT_UNKNOWN_CA": "tls-distrusts-us",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "tls-ours-expired",
    "SSLV3_ALERT_BAD_CERTIFICATE": "tls-refuses-ours",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "tls-refuses-ours",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "tls-refuses-ours",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "tls-refuses-ours",
    "TLSV1_ALERT_ACCESS_DENIED": "tls-refuses-ours",
    "TLSV1_UNRECOGNIZED_NAME": "tls-no-such-name",
}
CODES = frozenset({*_VERIFICATION.values(), *_REASONS.values(), "tls-hung-up", "tls-silent", "tls-other"})
"""Every sentence that a failed handshake can come to."""


REFUSALS = frozenset({"tls-wants-ours", "tls-distrusts-us", "tls-ours-expired", "tls-refuses-ours"})
"""The other side does not take our certificate. With TLS 1.3 this comes after our side has finished; nothing that we sent was looked at."""


def diagnose(error: BaseException, peer: str) -> HandshakeError:
    """What a failed handshake with a peer means."""
    words = _words(error)
    code, facts = _code(error), {"peer": peer, "words": words}
    return HandshakeError(say(code, "en", **facts), code, facts)


def named_otherwise(peer: str, wanted: str, names: str) -> HandshakeError:
    """The peer's certificate is believed and carries another name than the one that the configuration wants."""
    facts = {"peer": peer, "words": f"{wanted} is not among: {names or '-'}"}
    return HandshakeError(say("tls-name", "en", **facts), "tls-name", facts)


def speaks_tls(data: bytes) -> bool:
    """Whether bytes on a line without TLS are the beginning of a TLS record: a handshake, or the alert of somebody who expected one."""
    return len(data) >= 3 and data[0] in (0x15, 0x16) and data[1] == 3 and data[2] <= 4


def is_handshake(error: BaseException) -> bool:
    """Whether an error after connecting belongs to TLS, and not to the network below it."""
    return isinstance(error, ssl.SSLError | ConnectionResetError | ConnectionAbortedError | BrokenPipeError)


def _code(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFICATION.get(error.verify_code, "tls-other")
    if isinstance(error, TimeoutError) or "taking longer" in str(
        error
    ):  # asyncio's words for a handshake without answer
        return "tls-silent"
    if (reason := _reason(error)) in _REASONS:
        return _REASONS[reason]
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError):
        return "tls-hung-up"
    return "tls-other"


def _reason(error: BaseException) -> str:
    return str(getattr(error, "reason", None) or "") if isinstance(error, ssl.SSLError) else ""


def _words(error: BaseException) -> str:
    """What OpenSSL or the network said, without the place in OpenSSL's source."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    if reason := _reason(error):
        return reason.replace("_", " ").lower()
    return re.sub(r"\s*\(_ssl\.c:\d+\)|^\[[^\]]*\]\s*", "", str(error)) or type(error).__name__
