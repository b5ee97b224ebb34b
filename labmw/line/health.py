"""How is this line doing? What `labmw status` shows of a link: kept in memory, written to the store a few times a minute."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from labmw.clock import Clock, stamp
from labmw.errors import CertificateError, HandshakeError, LinkError
from labmw.metrics import CERTIFICATE_ENDS, of_link
from labmw.tls.certificate import Certificate


@dataclass(slots=True)
class LinkHealth:
    """The state of one link over all its connections. `troubles` are codes of the status catalogue with their facts."""

    site: str
    link: str
    clock: Clock
    connected: int = 0
    peer: str = ""
    since: datetime | None = None
    heard_at: datetime | None = None
    message_at: datetime | None = None
    refused_in_a_row: int = 0
    troubles: dict[str, dict[str, str]] = field(default_factory=dict)
    changed: bool = True
    owed: set[str] = field(
        default_factory=set
    )  # sessions that ended while the store was down: their last message waits in the journal

    def opened(self, peer: str) -> None:
        """Note that a connection was opened."""
        self.connected += 1
        self.peer, self.since, self.changed = peer, self.clock.now(), True
        for code in ("unreachable", "unsafe"):
            self.troubles.pop(code, None)
        of_link(self.link).connected.set(self.connected)

    def closed(self) -> None:
        """Note that a connection was closed."""
        self.connected -= 1
        self.changed = True
        if not self.connected:
            self.since = self.clock.now()
        of_link(self.link).connected.set(self.connected)

    def heard(self) -> None:
        """Note that bytes arrived."""
        self.heard_at, self.changed = self.clock.now(), True

    def message(self) -> None:
        """Note a message taken in: whatever was wrong with frames or the store is over."""
        self.message_at, self.refused_in_a_row, self.changed = self.clock.now(), 0, True
        for code in ("frames-refused", "store"):
            self.troubles.pop(code, None)

    def refused(self, in_a_row: int, fault: str) -> None:
        """Note a refused frame."""
        self.refused_in_a_row, self.changed = in_a_row, True
        if "frames-refused" in self.troubles:
            self.trouble("frames-refused", count=str(in_a_row), fault=fault)

    def trouble(self, code: str, **facts: str) -> None:
        """Note what is wrong, in the words of the status catalogue."""
        self.troubles[code] = facts
        self.changed = True

    def unreachable(self, error: LinkError) -> None:
        """Note that the analyzer cannot be reached; why TLS failed is told in the reader's own language."""
        self.trouble("unreachable", **_reason(error))

    def unsafe(self, peer: str, error: HandshakeError | CertificateError) -> None:
        """Note that somebody came and TLS could not be agreed."""
        self.trouble("unsafe", **(_reason(error) | {"peer": peer}))

    def met(self, certificate: Certificate | None, warn_days: int) -> None:
        """Note until when the certificate of the other side is valid."""
        if certificate is None:
            return
        CERTIFICATE_ENDS.labels(self.link, "peer").set(certificate.ends.timestamp())
        left = certificate.left(self.clock.now()).days
        if left < warn_days:
            self.trouble("peer-certificate-ends", certificate=certificate.title, ends=f"{certificate.ends:%Y-%m-%d}")
        else:
            self.well("peer-certificate-ends")

    def well(self, code: str) -> None:
        """Note that a trouble is over."""
        if self.troubles.pop(code, None) is not None:
            self.changed = True

    def row(self) -> dict[str, Any]:
        """Return the row of `link_state`."""
        return {
            "site": self.site,
            "link": self.link,
            "connected": self.connected,
            "peer": self.peer,
            "since": stamp(self.since) if self.since else None,
            "heard_at": stamp(self.heard_at) if self.heard_at else None,
            "message_at": stamp(self.message_at) if self.message_at else None,
            "refused_in_row": self.refused_in_a_row,
            "trouble": ",".join(sorted(self.troubles)),
            "facts": json.dumps(self.troubles, sort_keys=True),
            "updated_at": stamp(self.clock.now()),
        }


def _reason(error: Exception) -> dict[str, str]:
    """Why, in English, and the phrase that says it in every language where there is one."""
    told = (
        {"reason": error.code, **error.facts} if isinstance(error, LinkError | CertificateError) and error.code else {}
    )
    return {"why": str(error), **told}  # a phrase has the system's own words for its why
