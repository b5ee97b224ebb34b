"""What is agreed with another laboratory? The configuration's `[[partners]]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal

import msgspec

from labmw.errors import ConfigError
from labmw.sftp import settings as sftp_settings
from labmw.sftp.settings import Sftp
from labmw.tls import settings as tls_settings
from labmw.tls.settings import Tls
from protocols.hl7.acknowledging import Agreed
from protocols.hl7.ilw_profile import IlwProfile

BY_PARTNER = frozenset({"ilw", "hprim"})
"""`result.driver` of what another laboratory has performed."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: an unknown key is an error."""


class Route(_Strict, frozen=True):
    """Which tests leave for a partner, and when. All that is set has to hold."""

    tests: list[str]  # LOINC codes
    days: list[int] = []  # 1 = Monday ... 7 = Sunday, in the site's time; empty = every day
    down: str = ""  # a link: only while its analyzer is not connected
    kinds: list[str] = []  # types of specimen (SPM-4); empty = any
    places: list[str] = []  # where it was ordered or taken, as the order says it (`lis.place`); empty = anywhere


class Choices(_Strict, frozen=True):
    """What ILW leaves open, as this partner wants it: protocols/hl7/ilw_profile.py."""

    cancels: tuple[str, ...] = ("CA", "DC")  # ORC-1 that takes a sub-order back
    returns: tuple[str, ...] = ("OC",)  # ORC-1 by which the subcontractor gives it back
    adds: tuple[str, ...] = ("SN",)  # ORC-1 of a test that the subcontractor adds
    withdrawn: Literal["X", "D"] = "X"  # OBX-11 of a withdrawn result
    received: str = "IP"  # ORC-5 when the specimen has arrived
    document: tuple[str, str] = ("application", "pdf")  # ED-2 and ED-3 of a report
    answer_accepts: bool = False  # AA without an ORC of the order means that it is accepted
    reply_with_content: bool = True  # false: the partner expects a plain ACK to a sub-order
    results_as: Literal["ORU_R01", "OUL_R22"] = "ORU_R01"
    shipment: Literal["obx", "spm", ""] = "obx"  # where the number of the box is sent; "": it is not sent
    ins: bool = True  # the INS of a qualified identity goes along
    replace: Literal["cancel-new", "rp-ro"] = "cancel-new"  # a replacement leaves as CA, then NW; or as RP and RO
    payor: bool = False  # the insurance that the LIS gave with the order (IN1, IN2, IN3) goes along; its number may equal an INS that nobody has qualified


class Exchange(_Strict, frozen=True):
    """Folders through which files are exchanged, where there is no line: of this machine, or of a partner's SFTP server."""

    out: str  # our files for the partner
    into: str  # the partner's files for us
    format: Literal["hl7", "hprim"] = "hprim"
    encoding: Literal["cp1252", "utf-8"] = "cp1252"
    prefix: str = "LABMW"  # of our files' names, before their number
    every: float = 2.0  # seconds between looks into the folder
    settle: float = 1.0  # seconds for which a file must not have changed: it may still be written
    sftp: Sftp | None = None  # the server that the folders are on; left out: they are on this machine

    def resolved(self, found: Callable[[str], str]) -> Exchange:
        """The same with the paths as `found` makes them; those on a server stay as they are."""
        if self.sftp is not None:
            return msgspec.structs.replace(self, sftp=self.sftp.resolved(found))
        return msgspec.structs.replace(self, out=found(self.out), into=found(self.into))

    @property
    def way(self) -> str:
        """How it is called in a list."""
        return f"{self.format}: {self.sftp.title(self.out) if self.sftp else self.out}"


class Partner(_Strict, frozen=True):
    """Another laboratory: one that performs for us (subcontractor), or one that we perform for (requester)."""

    name: str
    role: Literal["subcontractor", "requester"] = "subcontractor"  # what the partner is
    application: str = ""  # MSH-5 of what is sent; "" = the name
    facility: str = ""  # MSH-6 of what is sent
    laboratory: str = ""  # how the laboratory is called in its results (OBX-23)
    laboratory_id: str = ""  # its number there; a result performed elsewhere is held back
    accreditation: str = ""  # its accreditation number
    also_performed_by: list[str] = []  # numbers of the reference laboratories to which it may pass on
    our_id: str = ""  # our number with the partner, such as FINESS (ORC-21)
    connect: str = ""  # "host:port" where the partner listens
    listen: str = ""  # "host:port" where the partner is listened to
    tls: Tls | None = None
    allow: list[str] = []
    connections: int = 4
    encoding: str = ""
    ack_timeout: float = 30.0
    acknowledge: Agreed = (
        ""  # which acknowledgments were agreed, both ways; "" = one application reply asked for, as IHE has it
    )
    retry_base: float = 2.0
    retry_cap: float = 300.0
    attempts: int = 5000  # about two weeks at the cap: a partner's system may be down over a holiday
    files: Exchange | None = None  # in place of connect and listen
    send: Literal["at-once", "with-box"] = "at-once"
    routes: list[Route] = []  # what leaves for it
    tests: dict[str, str | list[str]] = {}  # its codes, each with its LOINC code or those of its battery
    performs: list[str] = []  # LOINC codes that we perform for it
    units: dict[str, str] = {}  # unit strings of its results, each with its UCUM code
    turnaround: float = 72.0  # hours until results are late, where the catalogue says nothing else
    window_days: int = 30  # how long the number of a tube of it means this tube
    report: Literal["", "pdf"] = ""  # our report goes along with the results we send it
    ins_fictitious: bool = False
    choices: Choices = Choices()

    @property
    def feed(self) -> str:
        """The name of the line on which it sends, in the store and in `labmw status`."""
        return f"{self.name} messages"

    @property
    def performs_for_us(self) -> bool:
        """Whether it is a subcontractor of ours."""
        return self.role == "subcontractor"

    def resolved(self, found: Callable[[str], str]) -> Partner:
        """The same with the paths as `found` makes them."""
        return msgspec.structs.replace(
            self,
            tls=self.tls.resolved(found) if self.tls else None,
            files=self.files.resolved(found) if self.files else None,
        )

    def profile(self) -> IlwProfile:
        """What was chosen where ILW leaves something open."""
        one = self.choices
        return IlwProfile(
            one.cancels,
            one.returns,
            one.adds,
            one.withdrawn,
            one.received,
            one.document,
            one.answer_accepts,
            one.reply_with_content,
            one.results_as,
            one.shipment,
            one.ins,
            one.replace,
            one.payor,
        )


def check(file: str, partners: Iterable[Partner], links: frozenset[str], taken: frozenset[str]) -> None:
    """Whether the settings can work together; `taken` are the names of lines and destinations. Raises ConfigError."""
    seen: set[str] = set(taken)
    for index, one in enumerate(partners):
        key = f"partners[{index}] ({one.name})"
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", one.name):
            raise ConfigError(
                file,
                f"{key}.name",
                "is not an identifier",
                "use 1 to 32 letters, digits, '_', '.' or '-'",
                "partner-config-name",
            )
        if {one.name, one.feed} & seen:
            raise ConfigError(
                file,
                f"{key}.name",
                "is used by another line or destination",
                "give each its own name",
                "partner-config-name-used",
            )
        seen |= {one.name, one.feed}
        if bool(one.files) == bool(one.connect or one.listen):
            raise ConfigError(file, key, "has no way, or two", "set connect and listen, or files", "partner-config-way")
        if one.tls and one.connect:
            tls_settings.check(file, f"{key}.tls", one.tls, listens=False)
        if one.tls and one.listen:
            tls_settings.check(file, f"{key}.tls", one.tls, listens=True)
        if one.routes and not one.performs_for_us:
            raise ConfigError(
                file,
                f"{key}.routes",
                "are set for a requester",
                'set role = "subcontractor", or leave them out',
                "partner-config-routes",
            )
        if one.performs and one.performs_for_us:
            raise ConfigError(
                file,
                f"{key}.performs",
                "is set for a subcontractor",
                'set role = "requester", or leave it out',
                "partner-config-performs",
            )
        if one.files:
            _check_files(file, f"{key}.files", one.files)
        if one.files and one.acknowledge:
            raise ConfigError(
                file,
                f"{key}.acknowledge",
                "is of no use with files",
                "leave it out: a file is answered by a file",
                "partner-config-acknowledge",
            )
        if one.files and one.files.format == "hprim" and one.choices.shipment == "spm":
            raise ConfigError(
                file,
                f"{key}.choices.shipment",
                "is spm, and HPRIM files have no SPM",
                'set "obx", or leave it out',
                "partner-config-shipment",
            )
        _check_codes(file, key, one)
        _check_routes(file, key, one, links)
        for name, value, least, most in (
            ("ack_timeout", one.ack_timeout, 0.01, 3600.0),
            ("retry_base", one.retry_base, 0.01, 3600.0),
            ("retry_cap", one.retry_cap, one.retry_base, 86_400.0),
            ("attempts", float(one.attempts), 1.0, 1e6),
            ("connections", float(one.connections), 1.0, 1000.0),
            ("turnaround", one.turnaround, 0.001, 8760.0),
            ("window_days", float(one.window_days), 1.0, 3660.0),
            ("files.every", one.files.every if one.files else 1.0, 0.05, 86_400.0),
            ("files.settle", one.files.settle if one.files else 0.0, 0.0, 3600.0),
        ):
            if not least <= value <= most:
                raise ConfigError(
                    file,
                    f"{key}.{name}",
                    f"{value:g} is out of bounds",
                    f"give a number from {least:g} to {most:g}",
                    "partner-config-bounds",
                    value=f"{value:g}",
                    least=f"{least:g}",
                    most=f"{most:g}",
                )


def _check_files(file: str, key: str, files: Exchange) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", files.prefix):
        raise ConfigError(
            file,
            f"{key}.prefix",
            "cannot begin a file's name",
            "use 1 to 32 letters, digits, '_' or '-'",
            "partner-config-prefix",
        )
    if files.out.rstrip("/") == files.into.rstrip("/"):
        raise ConfigError(
            file,
            f"{key}.into",
            "is the folder of what leaves too",
            "give each direction a folder of its own",
            "partner-config-folders",
        )
    if files.sftp is not None:
        sftp_settings.check(file, f"{key}.sftp", files.sftp)


def _check_codes(file: str, key: str, one: Partner) -> None:
    for code, meant in one.tests.items():
        for loinc in [meant] if isinstance(meant, str) else meant or [""]:
            _loinc(file, f"{key}.tests.{code}", loinc)
    for loinc in one.performs:
        _loinc(file, f"{key}.performs", loinc)


def _check_routes(file: str, key: str, one: Partner, links: frozenset[str]) -> None:
    for number, route in enumerate(one.routes):
        place = f"{key}.routes[{number}]"
        for loinc in route.tests:
            _loinc(file, f"{place}.tests", loinc)
        if not all(1 <= day <= 7 for day in route.days):
            raise ConfigError(
                file, f"{place}.days", "is not a day of the week", "1 is Monday, 7 is Sunday", "partner-config-day"
            )
        if not all(name.strip() for name in route.places):
            raise ConfigError(
                file,
                f"{place}.places",
                "holds an empty name",
                "name the places as the LIS's orders do, or leave them out",
                "partner-config-place",
            )
        if route.down and route.down not in links:
            raise ConfigError(
                file,
                f"{place}.down",
                f"there is no link {route.down!r}",
                "name one of the links",
                "partner-config-down",
                down=route.down,
            )


def _loinc(file: str, key: str, loinc: str) -> None:
    if not re.fullmatch(r"\d{1,7}-\d", loinc):
        raise ConfigError(
            file, key, f"{loinc!r} is not a LOINC code", 'write it like "14749-6"', "partner-config-loinc", loinc=loinc
        )
