"""What does this text of a plain link say, read with this driver? Laid out as its family is, and read as LIS02-A2 records are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from labmw.driver import astm
from labmw.driver.declaration import Driver
from labmw.driver.laying import Laid, NotUnderstood, PlainDriver, as_sent
from labmw.driver.reading import Reading
from labmw.model import Disposition
from protocols.astm.message import Message
from protocols.plain.message import PlainMessage
from protocols.plain.rapid import fields_of as named_fields
from protocols.plain.tags import fields_of


def sender_of(message: PlainMessage) -> str:
    """What a message calls its sender, as a driver recognises it: instrument ^ computer of bioMérieux tags, model ^ number of a RAPIDPoint; "" for all others."""
    if message.protocol == "rapid":
        told = {name: values[0] for name, values in reversed(named_fields(message.decoded()[0])) if values}
        return f"{told.get('aMOD', '')}^{told.get('iIID', '')}"
    if message.protocol != "tags":
        return ""
    said = dict(reversed(fields_of(message.decoded()[0])))
    return f"{said.get('ii', '')}^{said.get('id', '')}"


def lay_out(message: PlainMessage, driver: Driver) -> tuple[Laid, str]:
    """A message as records, and why it was not understood; "" where it was. What is not understood is laid out as sent."""
    if isinstance(driver, PlainDriver):
        try:
            return driver.layout(message), ""
        except NotUnderstood as error:
            return as_sent(message), str(error)
    return as_sent(message), f"the driver {driver.name} reads {driver.protocol}"


def records_of(message: PlainMessage, laid: Laid) -> Message:
    """The records of a laid out message, as a message of LIS02-A2; its bytes are those that came."""
    lines = tuple(record.encode("utf-8", "surrogateescape") for record in laid.records)
    return Message(message.raw, lines, "utf-8", terminated=message.terminated and laid.whole)


def read(message: PlainMessage, driver: Driver, *, zone: ZoneInfo, tolerances_used: Sequence[str] = ()) -> Reading:
    """Read one message; one that its driver does not understand is kept whole, in quarantine."""
    laid, why = lay_out(message, driver)
    reading = astm.read(records_of(message, laid), driver, zone=zone, tolerances_used=tolerances_used)
    reading = replace(reading, protocol=message.protocol, delimiters="")
    if why and not reading.reason:
        return replace(
            reading, disposition=Disposition.QUARANTINED, reason="not-understood", reason_facts=(("why", why),)
        )
    return reading
