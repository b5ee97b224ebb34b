"""Can each line to an analyzer be opened as the configuration says, and is nothing said of it that its protocol has no use for?"""

from __future__ import annotations

from collections.abc import Sequence

from labmw.config.link import Link, Tube
from labmw.config.lis import Lis
from labmw.config.values import address, check_allowed, check_encoding, check_zone
from labmw.errors import ConfigError
from labmw.tls import settings as tls_settings
from labmw.tube_form import faults
from protocols.hl7.profile import PERSONALITIES
from protocols.plain.links import LINKS


def check_links(file: str, links: Sequence[Link]) -> None:
    """Check every [[link]]; raises ConfigError."""
    seen: dict[str, int] = {}
    places: dict[str, int] = {}
    for index, link in enumerate(links):
        key = f"link[{index}] ({link.name})"
        if not link.name.strip() or not link.name.isprintable():
            raise ConfigError(
                file, f"{key}.name", "is empty or cannot be printed", "give the link a name", "config-link-name"
            )
        if link.name in seen:
            raise ConfigError(
                file,
                f"{key}.name",
                f"is used by link[{seen[link.name]}] too",
                "give each link its own name",
                "config-link-name-used",
                other=str(seen[link.name]),
            )
        seen[link.name] = index
        ways = [way for way in ("listen", "connect", "serial") if getattr(link, way)]
        if len(ways) != 1:
            raise ConfigError(
                file,
                key,
                f"has {' and '.join(ways) or 'no wire'}",
                "set exactly one of listen, connect and serial",
                "config-wire",
                found=", ".join(ways) or "-",
            )
        for way in ("listen", "connect"):
            if text := getattr(link, way):
                address(file, f"{key}.{way}", text)
        if link.timezone:
            check_zone(file, f"{key}.timezone", link.timezone)
        if link.encoding:
            check_encoding(file, f"{key}.encoding", link.encoding)
        check_allowed(file, key, link.allow)
        check_allowed(file, key, link.proxy, "proxy")
        check_allowed(file, key, link.senders, "senders")
        if link.senders and (not link.listen or link.driver != "auto" or link.protocol == "law"):
            raise ConfigError(
                file,
                f"{key}.senders",
                "needs a link that listens and chooses its driver",
                'set listen, and driver = "auto"',
                "config-senders",
            )
        if link.proxy and not link.listen:
            raise ConfigError(
                file, f"{key}.proxy", "is set for a link that does not listen", "leave it out", "config-proxy"
            )
        if link.serial and "://" in link.serial.device:
            _check_port_server(file, f"{key}.serial.device", link.serial.device)
        if link.tls:
            if link.serial:
                raise ConfigError(
                    file, f"{key}.tls", "is set for a serial port", "leave it out: TLS is for TCP", "config-tls-serial"
                )
            tls_settings.check(file, f"{key}.tls", link.tls, listens=bool(link.listen))
            if link.orders:  # the second connection is dialled
                tls_settings.check(file, f"{key}.tls", link.tls, listens=False)
        if link.protocol in ("hl7", "law") and link.tolerances:
            raise ConfigError(
                file,
                f"{key}.tolerances",
                f"are of no use with protocol {link.protocol}",
                "leave them out: they are ASTM's",
                "config-tolerances",
                protocol=link.protocol,
            )
        if link.tube is not None:
            _check_tube(file, key, link, link.tube)
        if link.protocol not in ("hl7", "law"):
            check_not_hl7(file, key, link)
        if link.protocol in LINKS:
            _check_plain(file, key, link)
        if link.protocol == "law":
            _check_law(file, key, link)
        if link.work:
            _check_work(file, key, link)
        if link.tap and (link.protocol == "law" or link.tls or (link.serial and "://" in link.serial.device)):
            raise ConfigError(
                file,
                f"{key}.tap",
                "cannot listen to LAW, TLS or RFC 2217",
                "tap a plain ASTM or HL7 line, or leave it out",
                "config-tap",
            )
        place = link.serial.device if link.serial else link.listen
        if place and not place.endswith(":0") and place in places:
            raise ConfigError(
                file,
                key,
                f"{place} is used by link[{places[place]}] too",
                "give each link its own port or device",
                "config-place-used",
                found=place,
                other=str(places[place]),
            )
        places[place] = index


def _check_port_server(file: str, key: str, device: str) -> None:
    scheme, _, place = device.partition("://")
    if scheme != "rfc2217":
        raise ConfigError(
            file,
            key,
            f"{scheme}:// is no serial port",
            "write rfc2217://host:port, or use connect for raw TCP",
            "config-scheme",
            found=scheme,
        )
    address(file, key, place)


def check_not_hl7(file: str, key: str, one: Link | Lis) -> None:
    """Check that nothing of HL7 is said of a line in another protocol; raises ConfigError."""
    for name in ("acknowledge", "batch_reply"):
        if getattr(one, name):
            raise ConfigError(
                file,
                f"{key}.{name}",
                f"is HL7's, and the protocol is {one.protocol}",
                "leave it out: it is for HL7",
                "config-hl7-only",
                protocol=one.protocol,
            )


def _check_law(file: str, key: str, link: Link) -> None:
    if link.profile not in PERSONALITIES:
        raise ConfigError(
            file,
            f"{key}.profile",
            f"there is no profile {link.profile!r}",
            f"use one of {', '.join(PERSONALITIES)}",
            "config-profile",
            found=link.profile,
            known=", ".join(PERSONALITIES),
        )
    if link.driver == "auto":
        raise ConfigError(
            file,
            f"{key}.driver",
            "is not set",
            "name the driver: orders are written in its codes before anybody speaks",
            "config-law-driver",
        )
    if link.serial:
        raise ConfigError(file, f"{key}.serial", "LAW is spoken over TCP", "set listen or connect", "config-law-serial")
    if link.orders:
        address(file, f"{key}.orders", link.orders)


def _check_plain(file: str, key: str, link: Link) -> None:
    if link.protocol in ("stx", "au", "pk") and link.driver == "auto" and not link.senders:
        raise ConfigError(
            file,
            f"{key}.driver",
            "is not set",
            f"name it: nothing in the texts of protocol {link.protocol} says who sends",
            "config-plain-driver",
            protocol=link.protocol,
        )
    if link.role != "computer":
        raise ConfigError(
            file,
            f"{key}.role",
            f"is of no use with protocol {link.protocol}",
            "leave it out",
            "config-no-use",
            protocol=link.protocol,
        )


def _check_work(file: str, key: str, link: Link) -> None:
    if link.protocol not in ("astm", "hl7"):
        raise ConfigError(
            file,
            f"{key}.work",
            f"is of no use with protocol {link.protocol}",
            "leave it out",
            "config-no-use",
            protocol=link.protocol,
        )
    if link.protocol == "hl7" and link.work == "push":
        raise ConfigError(
            file, f"{key}.work", "cannot be push with protocol hl7", 'set it to "asked"', "config-push-hl7"
        )
    if link.driver == "auto":
        raise ConfigError(
            file,
            f"{key}.driver",
            "is not set",
            "name the driver: orders are written as it says, in its codes",
            "config-work-driver",
        )


def _check_tube(file: str, key: str, link: Link, tube: Tube) -> None:
    if link.protocol in ("hl7", "law"):
        raise ConfigError(
            file,
            f"{key}.tube",
            f"is of no use with protocol {link.protocol}",
            "leave it out: identifiers in HL7 are taken as they are",
            "config-tube-hl7",
            protocol=link.protocol,
        )
    if (found := faults(tube.form)) or not (tube.pad or tube.check):
        raise ConfigError(
            file,
            f"{key}.tube",
            found[0] if found else "says nothing",
            "pad is one letter or digit and length a number up to 64, both or neither; or set check",
            "config-tube",
        )
