"""Which driver reads a message, and with what agreed? The link's, the one of the address it came from, or the one that its header names; under the site's mapping."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

import msgspec

from labmw.clock import Clock
from labmw.config import Config, Link, content_of
from labmw.driver import Driver, Reading
from labmw.driver import astm as astm_reading
from labmw.driver import hl7 as hl7_reading
from labmw.driver import law as law_reading
from labmw.driver import plain as plain_reading
from labmw.driver.order_writing import dialect_of
from labmw.errors import DriverError
from labmw.fitting.knowledge import Knowledge
from labmw.frozen import changed
from labmw.lab.work_link import asking_of
from labmw.line.conversation import Terms
from labmw.line.gathering import Gatherer, Gathering
from labmw.line.link import named_at
from labmw.line.plain import gathering_of, plain_of
from labmw.line.received import Received
from labmw.line.registry import Ambiguous, reads
from labmw.mapping import site as mapping_site
from protocols.astm.datalink import Role
from protocols.astm.frame import MAX_TEXT_SERIAL
from protocols.astm.message import Message as AstmMessage
from protocols.astm.tolerance import STRICT
from protocols.errors import SettingError
from protocols.hl7.acknowledging import law_as_agreed
from protocols.hl7.er7 import Message as Hl7Message
from protocols.hl7.profile import PERSONALITIES, LawProfile
from protocols.plain.message import PlainMessage


@dataclass(frozen=True, slots=True)
class Readers:
    """How the messages of each link are put together and read."""

    config: Config
    clock: Clock
    knowledge: Knowledge
    formed: dict[tuple[str, str], tuple[Driver, Driver]] = field(default_factory=dict)  # filled by _on

    def terms(self, link: Link) -> Terms:
        """What a line of this link needs to know; raises DriverError, and SettingError for a tolerance that there is not."""
        driver = self.driver_of(link)
        base = driver.tolerances if driver else STRICT
        # On a tap the incumbent may be busy when we would not be: its analyzer then calls again.
        own: dict[str, str | int | float | bool] = {"enq_in_transfer": "restart"} if link.tap else {}
        plain = plain_of(link, driver)
        tolerances = base if plain else base.changed(own | link.tolerances)
        encoding = link.encoding  # HL7: MSH-18 says it, unless the link overrules
        if link.protocol not in ("hl7", "law") and not encoding:
            encoding = driver.encoding if driver else "latin-1"
        return Terms(
            site=self.config.site.id,
            link=link.name,
            role=Role(link.role),
            tolerances=tolerances,
            encoding=encoding,
            driver=driver,
            commit_timeout=self.config.store.commit_timeout,
            message_bytes=self.config.limits.message_bytes,
            idle_timeout=link.idle_timeout,
            frame_text=driver.orders.frame if link.work and driver and driver.orders else MAX_TEXT_SERIAL,
            tap=link.tap,
            two_replies=link.acknowledge != "application",
            reply_accept="AL" if link.acknowledge == "confirmed" else "NE",
            batch_reply=link.batch_reply,
            plain=plain,
        )

    def driver_of(self, link: Link) -> Driver | None:
        """The driver that a link names, under the site's mapping; None where each message's header chooses. Raises DriverError."""
        if link.driver == "auto":
            return None
        driver = self.knowledge.registry.named(link.driver)
        if not reads(driver, content_of(link)):
            raise DriverError(
                f"driver {driver.name!r} reads {driver.protocol} and the link speaks {link.protocol}; correct link.driver or link.protocol"
            )
        if link.work and link.protocol == "hl7":
            asking_of(driver)  # raises where the driver does not say how it asks
        elif link.work:
            dialect_of(driver, push=link.work == "push")  # raises where the driver does not say how it is told
        return self._on(link, self.knowledge.mappings.driver(driver, link.name, self.clock.now()))

    def _on(self, link: Link | None, driver: Driver) -> Driver:
        """A driver with the form that tubes have on a link, where it says one; the same value for the same driver."""
        if link is None or link.tube is None:
            return driver
        kept = self.formed.get((link.name, driver.name))
        if kept is None or kept[0] is not driver:
            kept = self.formed[link.name, driver.name] = driver, replace(driver, tube=link.tube.form)
        return kept[1]

    def gathering(self, name: str) -> Gatherer:
        """What puts the messages of a link together, as its line does; a link that is gone or broken is read to the standard."""
        most = self.config.limits.message_bytes
        link = next((one for one in self.config.link if one.name == name), None)
        if link is not None:
            with contextlib.suppress(DriverError, SettingError):
                return gathering_of(self.terms(link))
        return Gathering(most=most)

    def encoding(self, name: str) -> str:
        """The character set that a link is set to; "" where messages say theirs."""
        return next((link.encoding for link in self.config.link if link.name == name), "")

    def read(self, received: Received) -> Reading:
        """Read a message with its link's driver, or with the one that its header names; without its patients' names where they mean nothing."""
        link = next((one for one in self.config.link if one.name == received.link), None)
        reading = self._read_on(link, received)
        if link is None or link.names == "compare":
            return reading
        return changed(reading, patients=tuple([changed(one, name="") for one in reading.patients]))

    def _read_on(self, link: Link | None, received: Received) -> Reading:
        zone = ZoneInfo((link.timezone if link else "") or self.config.site.timezone)
        driver: Driver | None = None
        if link is not None:
            with contextlib.suppress(DriverError):
                driver = self.driver_of(link)
        if driver is None and link is not None and link.senders:
            driver, station = self._at_address(link, received.peer)
            if station:
                return changed(self._read_with(driver, link, received, zone), station=station)
        return self._read_with(driver, link, received, zone)

    def _at_address(self, link: Link, peer: str) -> tuple[Driver | None, str]:
        """The driver of whoever sends from an address, where several analyzers dial one port; with the address."""
        name = named_at(peer, link.senders)
        with contextlib.suppress(DriverError):
            driver = self.driver_of(msgspec.structs.replace(link, driver=name)) if name else None
            return driver, peer.rpartition(":")[0] if driver else ""
        return None, ""

    def _read_with(self, driver: Driver | None, link: Link | None, received: Received, zone: ZoneInfo) -> Reading:
        """Read a message with this driver, or with the one that its header names."""
        message = received.message
        if isinstance(message, Hl7Message):
            found = driver or self._mapped(self.knowledge.registry.recognise_hl7(message), received.link)
            if link is not None and link.protocol == "law":
                reader = self.knowledge.registry.reader(found, "hl7")
                return law_reading.read(message, received.change, reader, profile_of(link), zone)
            plain = hl7_reading.read(message, self.knowledge.registry.reader(found, "hl7"), zone=zone)
            # On a tap it answers the middleware that is there.
            return plain if link is None or link.tap else hl7_reading.unasked(plain, message, link.name)
        if isinstance(message, PlainMessage):
            found = driver or self._mapped(self.knowledge.registry.recognise_plain(message), received.link, link)
            reader = self.knowledge.registry.reader(found, message.protocol)
            return plain_reading.read(message, reader, zone=zone, tolerances_used=received.tolerances)
        assert isinstance(message, AstmMessage)
        found = driver or self._mapped(self.knowledge.registry.recognise_message(message), received.link, link)
        return astm_reading.read(
            message, self.knowledge.registry.reader(found), zone=zone, tolerances_used=received.tolerances
        )

    def _mapped(
        self, found: Driver | Ambiguous | None, name: str, link: Link | None = None
    ) -> Driver | Ambiguous | None:
        """A driver that a header chose, under the site's mapping."""
        if not isinstance(found, Driver):
            return found
        return self._on(link, self.knowledge.mappings.driver(found, name, self.clock.now()))

    def specimens(self, link: str, driver: str, code: str) -> frozenset[str]:
        """On which kinds of tube the laboratory measures this."""
        if not self.knowledge.mappings.configured:
            return frozenset()
        return mapping_site.specimens_of(self.knowledge.mappings.now(self.clock.now()).version, link, driver, code)


def profile_of(link: Link) -> LawProfile:
    """How the analyzer of a LAW link speaks, with the acknowledgments that were agreed for the link."""
    return law_as_agreed(PERSONALITIES[link.profile], link.acknowledge)
