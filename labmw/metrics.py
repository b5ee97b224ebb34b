"""What is counted and timed, for Prometheus: by analyzer and by cause, never by patient.

The process that talks to the analyzers counts; the web process shows. They meet in the folder PROMETHEUS_MULTIPROC_DIR, which
`labmw serve` sets before either starts (law 16: a slow page never delays an ACK). Without it, as in tests, counting stays in memory.
Children are bound once per link (`OfLink`): a label look-up per frame would cost three times the count itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from prometheus_client import Counter, Gauge, Histogram

ACK_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
"""Seconds; the last but one is the time after which labmw refuses, the last the sender's own timer (E1381)."""

CONNECTED = Gauge("labmw_link_connected", "Connections open on this link", ["link"], multiprocess_mode="mostrecent")
MESSAGES = Counter("labmw_messages", "Messages received, by what became of them", ["link", "disposition"])
FRAMES = Counter("labmw_frames", "Frames accepted", ["link"])
FRAMES_REFUSED = Counter("labmw_frames_refused", "Frames answered NAK, by fault", ["link", "fault"])
SESSIONS = Counter("labmw_sessions", "Sessions ended, by how they ended", ["link", "ending"])
TOLERANCES = Counter(
    "labmw_tolerances_used", "Deviations from the standard that a named tolerance let pass", ["link", "tolerance"]
)
CONNECTIONS_REFUSED = Counter("labmw_connections_refused", "Connections closed on arrival, by cause", ["link", "cause"])
CERTIFICATE_ENDS = Gauge(
    "labmw_certificate_ends_seconds",
    "Unix time at which a certificate ends: our own, the first to end of those trusted, the peer's",
    ["link", "whose"],
    multiprocess_mode="mostrecent",
)
CLOCK_OFFSET = Gauge(
    "labmw_clock_offset_seconds",
    "How far the analyzer's clock was ahead of ours in its last message",
    ["link"],
    multiprocess_mode="mostrecent",
)
RESULTS = Counter("labmw_results", "Results taken in, by state after intake", ["link", "state"])
QUARANTINED = Counter("labmw_quarantined", "Results and messages quarantined, by reason", ["link", "reason"])
VERDICTS = Counter("labmw_verdicts", "Verdicts of auto-validation", ["link", "verdict"])
HELD = Counter("labmw_held", "Results held, by the reason that weighed most", ["link", "reason"])
CONTROLS = Counter("labmw_controls", "Control results judged, by the state of their level after it", ["link", "state"])
ACK_SECONDS = Histogram(
    "labmw_ack_seconds", "From the last byte of a frame or block to its acknowledgment", ["link"], buckets=ACK_BUCKETS
)
QUERIES = Counter("labmw_queries", "Queries for work, by what was said", ["link", "answer"])
ORDERS_SENT = Counter("labmw_orders_sent", "Messages with orders sent to an analyzer, each time", ["link"])
ORDERS_UNANSWERED = Counter("labmw_orders_unanswered", "Messages with orders that an analyzer never answered", ["link"])
AWOS = Counter("labmw_awos", "AWOS by the state they came to", ["link", "state"])
LIS_ORDERS = Counter("labmw_lis_orders", "Orders of the LIS, by what became of them", ["answer"])
LIS_RELEASED = Counter(
    "labmw_lis_released", "Results in the feed of what the LIS releases, by what became of them", ["fate"]
)
LIS_QUERIES = Counter("labmw_lis_queries", "Tubes that the LIS was asked about, by what it said", ["answer"])
SUB_ORDERS = Counter(
    "labmw_sub_orders", "Sub-orders, by partner and what was said of them (ORC-1 of the answer)", ["partner", "answer"]
)
TRANSMITTED = Counter(
    "labmw_tests_transmitted", "Tests that left for another laboratory, of those in labmw_lis_orders", ["partner"]
)
PARTNER_RESULTS = Counter(
    "labmw_partner_results", "Results of partners, by what became of each version", ["partner", "fate"]
)
DELIVERIES = Counter("labmw_deliveries", "Attempts to deliver, by outcome", ["destination", "outcome"])
STRAY_ACKS = Counter("labmw_stray_acknowledgments", "Acknowledgments that answer nothing outstanding", ["destination"])


@dataclass(frozen=True, slots=True)
class OfLink:
    """The counters of one link, bound once."""

    link: str
    frames: Counter = field(init=False)
    ack_seconds: Histogram = field(init=False)
    connected: Gauge = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", FRAMES.labels(self.link))
        object.__setattr__(self, "ack_seconds", ACK_SECONDS.labels(self.link))
        object.__setattr__(self, "connected", CONNECTED.labels(self.link))


@lru_cache(maxsize=4096)
def of_link(link: str) -> OfLink:
    """Return the bound counters of a link."""
    return OfLink(link)
