"""What can be said of the LIS and of the orders that it sends: [lis] and [orders]."""

from __future__ import annotations

from typing import Literal

from labmw.config.strict import Strict
from labmw.tls.settings import Tls
from protocols.hl7.acknowledging import Agreed


class Lis(Strict, frozen=True):
    """The LIS that receives results over MLLP."""

    connect: str
    tls: Tls | None = None  # on the connection to it, and on `listen`
    protocol: Literal["hl7", "astm"] = (
        "hl7"  # astm: the LIS takes labmw for an instrument, and sends orders on the same line
    )
    name: str = "LIS"
    facility: str = ""
    sending_application: str = "LABMW"
    ack_timeout: float = 30.0
    auto_release_text: str = (
        "Résultat validé automatiquement selon les règles du laboratoire, sans relecture par un biologiste."
    )
    retry_base: float = 2.0
    retry_factor: float = 2.0
    retry_cap: float = 300.0
    retry_jitter: float = 0.2
    attempts: int = 50  # then the message goes to the dead letters, to a person
    dialect: str = "ltw"  # how this LIS differs from IHE LTW: labmw/dialect.py
    biological_validation: Literal["labmw", "lis"] = "labmw"  # lis: results leave as technically validated (OBX-11 P)
    listen: str = ""  # "host:port" where the LIS sends orders, identities and what it releases; "" = it sends nothing
    allow: list[str] = []  # peer addresses or networks that may send; empty = any
    encoding: str = ""  # of what it sends; "" = as MSH-18 says
    acknowledge: Agreed = ""  # which acknowledgments were agreed, both ways; "" = the dialect's
    batch_reply: bool = False  # a batch of it is answered by one batch, instead of message by message
    connections: int = 4
    query_patience: float = 0.0  # seconds that it is given to tell of a tube nobody ordered on; 0 = it is not asked
    window_days: int = 30  # how long a tube's number means this tube
    tests: dict[
        str, str | list[str]
    ] = {}  # the LIS's own codes, each with the LOINC code it stands for, or those of its battery
    patient_authority: str = ""  # whose patient numbers count (PID-3.4); "" = the first PI of each message
    ins_fictitious: bool = False  # use INS of the test and demonstration authorities too: never in production
    place: tuple[Literal["ORC-21", "ORC-13", "PV1-3"], ...] = (
        "ORC-21",
        "ORC-13",
        "PV1-3",
    )  # where an order came from: the first that is filled

    @property
    def speaks(self) -> bool:
        """Whether it sends anything."""
        return bool(self.listen) or self.protocol == "astm"

    @property
    def feed(self) -> str:
        """The name of the line on which it sends, in the store and in `labmw status`."""
        return f"{self.name} orders"


class Orders(Strict, frozen=True):
    """How far the orders that labmw knows can be relied on."""

    max_age: float = 3600.0  # seconds since the last message of the order feed until "no work" is no longer said
    late: float = 120.0  # minutes after which an order without a released result is late
    late_urgent: float = 60.0  # the same for stat and as soon as possible
