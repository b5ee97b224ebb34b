"""The configuration: one TOML file, read strictly, each error naming file, key and remedy."""

from __future__ import annotations

import ipaddress
import re
import tomllib
import zoneinfo
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

from labmw.dialect import DIALECTS
from labmw.errors import ConfigError
from labmw.partner import Partner
from labmw.partner import check as check_partners
from labmw.tls import settings as tls_settings
from labmw.tls.settings import Tls
from protocols.hl7.acknowledging import Agreed
from protocols.hl7.profile import PERSONALITIES
from protocols.plain.links import LINKS


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: an unknown key is an error, so that a typing mistake never disables anything in silence."""


class Site(_Strict, frozen=True):
    """Which laboratory this is."""

    id: str
    name: str = ""
    timezone: str = "Europe/Paris"
    language: Literal["en", "fr"] = "fr"


class Store(_Strict, frozen=True):
    """Where everything is kept: a SQLite file by default."""

    url: str = "sqlite:///labmw.db"
    commit_timeout: float = 10.0  # seconds until an owner that cannot commit refuses (law 3)
    queue: int = 10_000  # transactions waiting at most
    group: int = 50  # transactions per commit at most
    key_file: str = ""  # the store keys, under which the bytes of lines and messages are encrypted; "": they are not


class Web(_Strict, frozen=True):
    """The process that serves /metrics and /healthz."""

    host: str = "127.0.0.1"
    port: int = 8321
    enabled: bool = True


class Serial(_Strict, frozen=True):
    """RS-232 settings of one line."""

    device: str
    baud: int = 9600
    bits: Literal[7, 8] = 8
    parity: Literal["none", "even", "odd"] = "none"
    stop: Literal[1, 2] = 1
    rtscts: bool = False
    xonxoff: bool = False
    rts: bool = True  # RTS and DTR are asserted while the port is open: many analyzers wait for one of them
    dtr: bool = True


class Link(_Strict, frozen=True):
    """One line to one analyzer. Exactly one of `listen`, `connect` and `serial` is set."""

    name: str
    driver: str = "auto"  # a driver's name, or "auto": chosen by the header
    listen: str = ""  # "host:port": the analyzer connects to labmw
    connect: str = ""  # "host:port": labmw connects to the analyzer
    serial: Serial | None = None
    protocol: Literal["astm", "hl7", "law", "tags", "maglumi", "stx", "au", "pk", "rapid"] = (
        "astm"  # law: IHE LAW, with orders and queries; the last six: links of their own (docs/plain-links.md)
    )
    role: Literal["computer", "instrument"] = "computer"
    encoding: str = ""  # "" = the driver's
    timezone: str = ""  # "" = the site's
    tls: Tls | None = None  # TLS on a link that listens or connects
    allow: list[str] = []  # peer addresses or networks allowed to connect; empty = any
    senders: dict[str, str] = {}  # address or network: driver, where several analyzers dial one port
    proxy: list[
        str
    ] = []  # load balancers: connections from these addresses begin with a PROXY header (v1 or v2) that names the peer
    connections: int = (
        4  # at once on this link; the one that never spoke, else the longest silent of the same address, gives way
    )
    tap: bool = False  # labmw only listens, beside the middleware that answers; nothing of this link ever leaves it
    clock_tolerance: float = (
        0.0  # seconds the analyzer's clock may be behind; 0 = it is only looked whether it runs ahead
    )
    names: Literal["compare", "ignore"] = (
        "compare"  # a patient's name that is not the LIS's keeps a result from leaving
    )
    idle_timeout: float = 0.0  # seconds without a byte until the connection is closed; 0 = never
    tolerances: dict[str, str | int | float | bool] = {}  # added to the driver's
    # --- protocol = "hl7" and "law" ---
    acknowledge: Agreed = ""  # which acknowledgments were agreed (MSH-15, MSH-16): decision 0079; "" = the profile's
    batch_reply: bool = False  # a batch (BHS, FHS) is answered by one batch, instead of message by message
    # --- protocol = "astm" and "hl7": is the analyzer told what to do? ---
    work: Literal["", "asked", "push"] = (
        ""  # asked: its queries are answered; push (astm): it keeps a worklist, and is told of new orders too; "" = neither
    )
    # --- protocol = "law"; patients and tests also with work ---
    profile: str = "generic"  # how the family speaks LAW: protocols/hl7/profile.py
    orders: str = ""  # "host:port" where the analyzer takes orders, when not on the connection that it opens
    push: bool = False  # it keeps a worklist, and is told of new orders without being asked
    patients: bool = True  # patients' names go along with orders
    code_system: str = (
        "L"  # coding system of the analyzer's test codes (OBR-4.3), such as 99ROC; LN where the code is a LOINC code
    )
    tests: list[str] = []  # LOINC codes ordered from this analyzer; empty: all that its driver knows
    ack_timeout: float = 0.0  # seconds until an order is sent again; 0 = the profile's


class Lis(_Strict, frozen=True):
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


class Orders(_Strict, frozen=True):
    """How far the orders that labmw knows can be relied on."""

    max_age: float = 3600.0  # seconds since the last message of the order feed until "no work" is no longer said
    late: float = 120.0  # minutes after which an order without a released result is late
    late_urgent: float = 60.0  # the same for stat and as soon as possible


class Comparison(_Strict, frozen=True):
    """What says that analyzers give the same, so that one may stand in for another."""

    document: str
    by: str
    until: date | None = None  # the last day on which it holds


class Route(_Strict, frozen=True):
    """Which analyzers do some tests; a test without a route goes to every analyzer that knows it."""

    tests: list[str]  # LOINC codes
    links: list[str]  # the preferred one first; one alone pins the tests
    urgent: list[str] = []  # where stat and as soon as possible go instead
    by: Literal["preference", "load"] = "preference"
    comparable: Comparison | None = None  # without it no other than the preferred one is given them


class FileDrop(_Strict, frozen=True):
    """A folder that gets every report as a file, beside the LIS: an archive, or an interface engine that watches it."""

    name: str
    folder: str
    links: list[str] = []  # as for a destination
    tests: list[str] = []
    retry_base: float = 2.0
    retry_cap: float = 300.0


class Destination(_Strict, frozen=True):
    """A further receiver over MLLP, beside the LIS: a regional server, a register, a research database."""

    name: str
    connect: str
    tls: Tls | None = None
    facility: str = ""
    dialect: str = "ltw"
    links: list[str] = []  # only what came on these lines; empty = all
    tests: list[str] = []  # only these LOINC codes; empty = all
    ack_timeout: float = 30.0
    retry_base: float = 2.0
    retry_cap: float = 300.0
    attempts: int = 50


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class WorkMode(_Strict, frozen=True):
    """A way of working that rules may ask for by its name, such as on-call."""

    name: str
    begins: str  # "20:00", on the laboratory's own clock
    ends: str
    days: list[Day] = []  # on which it begins; empty = every day


class Rules(_Strict, frozen=True):
    """Which rule packs judge, where the signatures that make them active are kept, and what rules are told of the laboratory."""

    packs: list[str] = []  # names of shipped packs, or paths relative to the configuration file
    signatures: str = ""  # TOML file of signatures
    shadow: list[
        str
    ] = []  # packs that are only watched: they judge beside the others, and nothing acts on what they say
    mode: list[WorkMode] = []  # the first that holds counts
    call_hours: float = 24.0  # within which a documented call covers a repeat of the same critical value
    watch_release_rate: bool = True  # a jump of the share released stops its analyzer


Act = Literal[
    "technical",
    "biological",
    "hold",
    "reject",
    "rerun",
    "comment",
    "withdraw",
    "call",
    "recall",
    "stop",
    "resume",
    "qc",
    "rules",
    "accept",
    "mapping",
    "quarantine",
    "deliver",
    "order",
    "retention",
]


class Role(_Strict, frozen=True):
    """One role: what its people may do, and who they are, as they sign with --by."""

    may: list[Act] = []
    people: list[str] = []


class Drivers(_Strict, frozen=True):
    """The laboratory's own driver files."""

    folder: str = ""


class Mapping(_Strict, frozen=True):
    """What the laboratory calls things: its catalogue and the codes of its analyzers."""

    folder: str = ""  # one TOML file for each version, with its CSV tables beside it
    signatures: str = ""  # TOML file of signatures: two people under each version that holds


class Limits(_Strict, frozen=True):
    """Bounds that keep one bad peer from harming the others."""

    connections: int = 1000
    message_bytes: int = 64 * 2**20


class Retention(_Strict, frozen=True):
    """How many years each class is kept: after the patient's last activity, or, of what is no patient's, after it came."""

    destruction: bool = False  # nothing is ever destroyed before the laboratory has switched this on
    archive: int = 5  # moved into the archive, where there is a folder
    archive_folder: str = ""  # "" moves nothing
    archive_raw: int = 0  # 0 is `archive`
    archive_messages: int = 0
    archive_results: int = 0
    archive_identity: int = 0
    archive_genetics: int = 0
    archive_qc: int = 0
    archive_audit: int = 20  # also of patients who still come: their results have their trail beside them for so long
    raw: int = 20  # bytes of the lines, frame by frame
    messages: int = 20  # messages of analyzers and LIS, and what was sent
    results: int = 20
    identity: int = 20
    qc: int = 20
    audit: int = 30
    genetics: int = 30  # everything of a patient with a result of one of these tests
    genetic_tests: list[str] = []  # LOINC codes


class Config(_Strict, frozen=True):
    """The whole file."""

    site: Site
    store: Store = Store()
    web: Web = Web()
    link: list[Link] = []
    lis: Lis | None = None
    files: list[FileDrop] = []
    destination: list[Destination] = []
    partners: list[Partner] = []
    orders: Orders = Orders()
    route: list[Route] = []
    rules: Rules = Rules()
    roles: dict[str, Role] = {}  # by name, such as [roles.biologist]; without any, nobody decides in labmw
    drivers: Drivers = Drivers()
    mapping: Mapping = Mapping()
    limits: Limits = Limits()
    retention: Retention = Retention()

    @property
    def destinations(self) -> tuple[str, ...]:
        """The names of everybody to whom results are sent, the LIS first."""
        lis = (self.lis.name,) if self.lis else ()
        return (*lis, *(one.name for one in self.destination), *(one.name for one in self.files))


def load(path: Path) -> Config:
    """Read and check one configuration file; raises ConfigError naming file, key and remedy."""
    name = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(name, "", "there is no such file", "give its path, or set LABMW_CONFIG") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(name, "", f"cannot be read ({error})", "check its permissions and that it is UTF-8") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(name, "", f"is not TOML ({error})", "mend the line it names") from None
    try:
        config = msgspec.convert(table, Config)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at `$")
        key = where.rstrip("`").lstrip(".") or _unknown_key(problem)
        raise ConfigError(
            name, key or "the file", problem, "see deploy/labmw.toml, where every key is explained"
        ) from None
    _check(name, config)
    return _resolved(config, path.absolute().parent)


def _resolved(config: Config, folder: Path) -> Config:
    """Make relative paths start at the configuration file; a pack's bare name that is no file there stays a name."""

    def found(text: str) -> str:
        return str(folder / text) if text else ""

    def secured(one: Link | Lis | Destination) -> dict[str, Tls | None]:
        return {"tls": one.tls.resolved(found) if one.tls else None}

    packs = [found(pack) if (folder / pack).exists() or "/" in pack else pack for pack in config.rules.packs]
    shadow = [found(pack) if (folder / pack).exists() or "/" in pack else pack for pack in config.rules.shadow]
    scheme, slashes, place = config.store.url.partition(":///")
    url = f"{scheme}{slashes}{folder / place}" if scheme == "sqlite" and place else config.store.url
    return msgspec.structs.replace(
        config,
        store=msgspec.structs.replace(config.store, url=url, key_file=found(config.store.key_file)),
        retention=msgspec.structs.replace(config.retention, archive_folder=found(config.retention.archive_folder)),
        rules=msgspec.structs.replace(
            config.rules, packs=packs, shadow=shadow, signatures=found(config.rules.signatures)
        ),
        drivers=msgspec.structs.replace(config.drivers, folder=found(config.drivers.folder)),
        mapping=Mapping(folder=found(config.mapping.folder), signatures=found(config.mapping.signatures)),
        files=[msgspec.structs.replace(one, folder=found(one.folder)) for one in config.files],
        partners=[one.resolved(found) for one in config.partners],
        link=[msgspec.structs.replace(link, **secured(link)) for link in config.link],
        destination=[msgspec.structs.replace(one, **secured(one)) for one in config.destination],
        lis=msgspec.structs.replace(config.lis, **secured(config.lis)) if config.lis else None,
    )


def _unknown_key(problem: str) -> str:
    match = re.search(r"`([^`]+)`", problem)
    return match.group(1) if match else ""


def address(file: str, key: str, text: str) -> tuple[str, int]:
    """Split "host:port"; raises ConfigError."""
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or not 0 <= int(port) <= 65535:
        shown = f"***@{text.rpartition('@')[2]}" if "@" in text else text  # what stands before an @ may be a password
        raise ConfigError(file, key, f"{shown!r} is not host:port", 'write it like "127.0.0.1:4001"')
    return host.strip("[]"), int(port)


def _check(file: str, config: Config) -> None:
    seen: dict[str, int] = {}
    places: dict[str, int] = {}
    for index, link in enumerate(config.link):
        key = f"link[{index}] ({link.name})"
        if not link.name.strip() or not link.name.isprintable():
            raise ConfigError(file, f"{key}.name", "is empty or cannot be printed", "give the link a name")
        if link.name in seen:
            raise ConfigError(
                file, f"{key}.name", f"is used by link[{seen[link.name]}] too", "give each link its own name"
            )
        seen[link.name] = index
        ways = [way for way in ("listen", "connect", "serial") if getattr(link, way)]
        if len(ways) != 1:
            raise ConfigError(
                file, key, f"has {' and '.join(ways) or 'no wire'}", "set exactly one of listen, connect and serial"
            )
        for way in ("listen", "connect"):
            if text := getattr(link, way):
                address(file, f"{key}.{way}", text)
        if link.timezone:
            _zone(file, f"{key}.timezone", link.timezone)
        if link.encoding:
            _encoding(file, f"{key}.encoding", link.encoding)
        _check_allowed(file, key, link.allow)
        _check_allowed(file, key, link.proxy, "proxy")
        _check_allowed(file, key, link.senders, "senders")
        if link.senders and (not link.listen or link.driver != "auto" or link.protocol == "law"):
            raise ConfigError(
                file,
                f"{key}.senders",
                "needs a link that listens and chooses its driver",
                'set listen, and driver = "auto"',
            )
        if link.proxy and not link.listen:
            raise ConfigError(file, f"{key}.proxy", "is set for a link that does not listen", "leave it out")
        if link.serial and "://" in link.serial.device:
            _check_port_server(file, f"{key}.serial.device", link.serial.device)
        if link.tls:
            if link.serial:
                raise ConfigError(file, f"{key}.tls", "is set for a serial port", "leave it out: TLS is for TCP")
            tls_settings.check(file, f"{key}.tls", link.tls, listens=bool(link.listen))
            if link.orders:  # the second connection is dialled
                tls_settings.check(file, f"{key}.tls", link.tls, listens=False)
        if link.protocol in ("hl7", "law") and link.tolerances:
            raise ConfigError(
                file,
                f"{key}.tolerances",
                f"are of no use with protocol {link.protocol}",
                "leave them out: they are ASTM's",
            )
        if link.protocol not in ("hl7", "law"):
            _check_not_hl7(file, key, link)
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
            )
        place = link.serial.device if link.serial else link.listen
        if place and not place.endswith(":0") and place in places:
            raise ConfigError(
                file, key, f"{place} is used by link[{places[place]}] too", "give each link its own port or device"
            )
        places[place] = index
    _zone(file, "site.timezone", config.site.timezone)
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", config.site.id):
        raise ConfigError(
            file, "site.id", f"{config.site.id!r} is not an identifier", "use 1 to 32 letters, digits, '_', '.' or '-'"
        )
    for index, drop in enumerate(config.files):
        key = f"files[{index}] ({drop.name})"
        if not drop.name.strip() or not drop.name.isprintable() or not drop.folder:
            raise ConfigError(file, key, "has no name or no folder", "give it both")
        if drop.name in seen or (config.lis and drop.name in (config.lis.name, config.lis.feed)):
            raise ConfigError(file, f"{key}.name", "is used by another link or destination", "give each its own name")
        seen[drop.name] = index
    _check_destinations(file, config)
    _check_bounds(file, config)
    _check_routes(file, config)
    _check_modes(file, config.rules.mode)
    if config.lis:
        _check_lis(file, config.lis, config.link)
    _check_partners(file, config)


def _check_partners(file: str, config: Config) -> None:
    links = frozenset(link.name for link in config.link)
    lis = {config.lis.name, config.lis.feed} if config.lis else set[str]()
    others = {one.name for one in config.files} | {one.name for one in config.destination}
    check_partners(file, config.partners, links, links | lis | others)
    for one in config.partners:
        for key, text in (("connect", one.connect), ("listen", one.listen)):
            if text:
                address(file, f"partners ({one.name}).{key}", text)
        if one.files and one.files.sftp:
            address(file, f"partners ({one.name}).files.sftp.connect", one.files.sftp.connect)
        if one.encoding:
            _encoding(file, f"partners ({one.name}).encoding", one.encoding)
        _check_allowed(file, f"partners ({one.name})", one.allow)


def _check_destinations(file: str, config: Config) -> None:
    links = {link.name for link in config.link}
    others = [
        *links,
        *(drop.name for drop in config.files),
        *((config.lis.name, config.lis.feed) if config.lis else ()),
    ]
    for index, one in enumerate(config.destination):
        key = f"destination[{index}] ({one.name})"
        if not one.name.strip() or not one.name.isprintable():
            raise ConfigError(file, f"{key}.name", "is empty or cannot be printed", "give the destination a name")
        if one.name in others:
            raise ConfigError(file, f"{key}.name", "is used by another link or destination", "give each its own name")
        others.append(one.name)
        address(file, f"{key}.connect", one.connect)
        if one.dialect not in DIALECTS:
            raise ConfigError(
                file, f"{key}.dialect", f"there is no dialect {one.dialect!r}", f"use one of {', '.join(DIALECTS)}"
            )
        if one.tls:
            tls_settings.check(file, f"{key}.tls", one.tls, listens=False)
    chosen = [(f"destination ({one.name})", one.links, one.tests) for one in config.destination]
    chosen += [(f"files ({drop.name})", drop.links, drop.tests) for drop in config.files]
    for key, names, loincs in chosen:
        for name in names:
            if name not in links:
                raise ConfigError(file, f"{key}.links", f"there is no link {name!r}", "give the name of a [[link]]")
        for loinc in loincs:
            if not re.fullmatch(r"\d{1,7}-\d", loinc):
                raise ConfigError(file, f"{key}.tests", f"{loinc!r} is not a LOINC code", 'write it like "14749-6"')


def _check_modes(file: str, modes: Iterable[WorkMode]) -> None:
    for index, mode in enumerate(modes):
        key = f"rules.mode[{index}] ({mode.name})"
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,32}", mode.name):
            raise ConfigError(file, f"{key}.name", "is no name", "use 1 to 32 letters, digits, '_', '.' or '-'")
        for name in ("begins", "ends"):
            if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", getattr(mode, name)):
                raise ConfigError(
                    file, f"{key}.{name}", f"{getattr(mode, name)!r} is no time of day", 'write it like "20:00"'
                )
        if mode.begins == mode.ends:
            raise ConfigError(file, f"{key}.ends", "is when it begins", "give two different times")


def _check_lis(file: str, lis: Lis, links: Iterable[Link]) -> None:
    address(file, "lis.connect", lis.connect)
    if not lis.connect.endswith(":0") and lis.connect in {lis.listen, *(link.listen for link in links)}:
        raise ConfigError(file, "lis.connect", f"{lis.connect} is a port of labmw itself", "name the LIS's address")
    for name in (lis.name, lis.feed):
        if name in {link.name for link in links}:
            raise ConfigError(file, "lis.name", f"{name!r} is the name of a link", "give the LIS a name of its own")
    if lis.dialect not in DIALECTS:
        raise ConfigError(
            file, "lis.dialect", f"there is no dialect {lis.dialect!r}", f"use one of {', '.join(DIALECTS)}"
        )
    if lis.protocol == "astm":
        _check_not_hl7(file, "lis", lis)
    if lis.listen and lis.protocol == "astm":
        raise ConfigError(
            file, "lis.listen", "is of no use with protocol astm", "leave it out: orders come by lis.connect"
        )
    if lis.listen:
        address(file, "lis.listen", lis.listen)
        if not lis.listen.endswith(":0") and lis.listen in {link.listen for link in links}:
            raise ConfigError(file, "lis.listen", f"{lis.listen} is used by a link", "give the LIS a port of its own")
    if lis.encoding:
        _encoding(file, "lis.encoding", lis.encoding)
    if lis.tls:
        tls_settings.check(file, "lis.tls", lis.tls, listens=False)
        if lis.listen:
            tls_settings.check(file, "lis.tls", lis.tls, listens=True)
    _check_allowed(file, "lis", lis.allow)
    for code, meant in lis.tests.items():
        for loinc in [meant] if isinstance(meant, str) else meant or [""]:
            if not re.fullmatch(r"\d{1,7}-\d", loinc):
                raise ConfigError(
                    file, f"lis.tests.{code}", f"{loinc!r} is not a LOINC code", 'write it like "14749-6"'
                )


def _check_port_server(file: str, key: str, device: str) -> None:
    scheme, _, place = device.partition("://")
    if scheme != "rfc2217":
        raise ConfigError(
            file, key, f"{scheme}:// is no serial port", "write rfc2217://host:port, or use connect for raw TCP"
        )
    address(file, key, place)


def _check_allowed(file: str, key: str, allow: Iterable[str], name: str = "allow") -> None:
    for text in allow:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ConfigError(
                file,
                f"{key}.{name}",
                f"{text!r} is not an address or network",
                'write it like "192.0.2.7" or "192.0.2.0/24"',
            ) from None


def _check_not_hl7(file: str, key: str, one: Link | Lis) -> None:
    for name in ("acknowledge", "batch_reply"):
        if getattr(one, name):
            raise ConfigError(
                file, f"{key}.{name}", f"is HL7's, and the protocol is {one.protocol}", "leave it out: it is for HL7"
            )


def _check_law(file: str, key: str, link: Link) -> None:
    if link.profile not in PERSONALITIES:
        raise ConfigError(
            file, f"{key}.profile", f"there is no profile {link.profile!r}", f"use one of {', '.join(PERSONALITIES)}"
        )
    if link.driver == "auto":
        raise ConfigError(
            file,
            f"{key}.driver",
            "is not set",
            "name the driver: orders are written in its codes before anybody speaks",
        )
    if link.serial:
        raise ConfigError(file, f"{key}.serial", "LAW is spoken over TCP", "set listen or connect")
    if link.orders:
        address(file, f"{key}.orders", link.orders)


def _check_routes(file: str, config: Config) -> None:
    able = {link.name for link in config.link if link.work or link.protocol == "law"}
    seen: dict[str, int] = {}
    for index, route in enumerate(config.route):
        key = f"route[{index}]"
        if not route.links:
            raise ConfigError(file, f"{key}.links", "is empty", "name the analyzers that do these tests")
        for name in (*route.links, *route.urgent):
            if name not in able:
                raise ConfigError(
                    file, key, f"{name!r} is no link that is told what to do", f"use one of {', '.join(sorted(able))}"
                )
        for loinc in route.tests:
            if not re.fullmatch(r"\d{1,7}-\d", loinc):
                raise ConfigError(file, f"{key}.tests", f"{loinc!r} is not a LOINC code", 'write it like "14749-6"')
            if loinc in seen:
                raise ConfigError(
                    file, f"{key}.tests", f"{loinc} is routed by route[{seen[loinc]}] too", "route it once"
                )
            seen[loinc] = index
        if route.by == "load" and route.comparable is None:
            raise ConfigError(
                file, f"{key}.by", "by load needs analyzers that may stand in for each other", "record the comparison"
            )


def content_of(link: Link) -> str:
    """What the messages of a link are, and hence what its driver must read: IHE LAW is HL7, and a MAGLUMI sends ASTM records."""
    return {"law": "hl7", "maglumi": "astm"}.get(link.protocol, link.protocol)


def _check_plain(file: str, key: str, link: Link) -> None:
    if link.protocol in ("stx", "au", "pk") and link.driver == "auto" and not link.senders:
        raise ConfigError(
            file,
            f"{key}.driver",
            "is not set",
            f"name it: nothing in the texts of protocol {link.protocol} says who sends",
        )
    if link.role != "computer":
        raise ConfigError(file, f"{key}.role", f"is of no use with protocol {link.protocol}", "leave it out")


def _check_work(file: str, key: str, link: Link) -> None:
    if link.protocol not in ("astm", "hl7"):
        raise ConfigError(file, f"{key}.work", f"is of no use with protocol {link.protocol}", "leave it out")
    if link.protocol == "hl7" and link.work == "push":
        raise ConfigError(file, f"{key}.work", "cannot be push with protocol hl7", 'set it to "asked"')
    if link.driver == "auto":
        raise ConfigError(
            file, f"{key}.driver", "is not set", "name the driver: orders are written as it says, in its codes"
        )


def _check_bounds(file: str, config: Config) -> None:
    """Check numbers that would make a part spin, wait for ever, or answer after the sender has given up."""
    store, lis, limits, web = config.store, config.lis, config.limits, config.web
    bounds: list[tuple[str, float, float, float]] = [
        ("store.commit_timeout", store.commit_timeout, 0.01, 13.0),
        ("store.queue", store.queue, 1, 10_000_000),
        ("store.group", store.group, 1, 10_000),
        ("web.port", web.port, 0, 65535),
        ("limits.connections", limits.connections, 1, 100_000),
        ("rules.call_hours", config.rules.call_hours, 0, 720),
        ("orders.max_age", config.orders.max_age, 0, 10_000_000),
        ("orders.late", config.orders.late, 1, 100_000),
        ("orders.late_urgent", config.orders.late_urgent, 1, 100_000),
        ("limits.message_bytes", limits.message_bytes, 1024, 2**30 - 1),
    ]
    kept = config.retention
    for name in ("archive", "raw", "messages", "results", "identity", "qc", "audit", "genetics"):
        bounds.append((f"retention.{name}", getattr(kept, name), 1, 200))
    for name in ("raw", "messages", "results", "identity", "genetics", "qc", "audit"):
        bounds.append((f"retention.archive_{name}", getattr(kept, f"archive_{name}"), 0, 200))
    moved = {
        name: getattr(kept, f"archive_{name}") or kept.archive for name in ("raw", "messages", "results", "identity")
    }
    bounds.append(("retention.archive_results", moved["results"], max(moved["raw"], moved["messages"]), 200))
    bounds.append(("retention.archive_identity", moved["identity"], moved["results"], 200))
    longest = max(kept.raw, kept.messages, kept.results, kept.identity, kept.qc)
    bounds.append(("retention.audit", kept.audit, longest, 200))  # what was done outlives what it was done to
    bounds.append(("retention.results", kept.results, max(kept.raw, kept.messages), 200))
    bounds.append(("retention.identity", kept.identity, kept.results, 200))
    for index, link in enumerate(config.link):
        key = f"link[{index}] ({link.name})"
        bounds.append((f"{key}.connections", link.connections, 1, limits.connections))
        bounds.append((f"{key}.ack_timeout", link.ack_timeout, 0, 3600))
        bounds.append((f"{key}.clock_tolerance", link.clock_tolerance, 0, 10_000_000))
        bounds.append((f"{key}.idle_timeout", link.idle_timeout, 0, 10_000_000))
        if link.serial:
            bounds.append((f"{key}.serial.baud", link.serial.baud, 50, 4_000_000))
    for index, one in enumerate(config.destination):
        key = f"destination[{index}] ({one.name})"
        bounds.append((f"{key}.ack_timeout", one.ack_timeout, 0.01, 3600))
        bounds.append((f"{key}.retry_base", one.retry_base, 0.01, 3600))
        bounds.append((f"{key}.retry_cap", one.retry_cap, one.retry_base, 86_400))
        bounds.append((f"{key}.attempts", one.attempts, 1, 1_000_000))
    if lis:
        bounds += [
            ("lis.ack_timeout", lis.ack_timeout, 0.01, 3600),
            ("lis.retry_base", lis.retry_base, 0.01, 3600),
            ("lis.retry_factor", lis.retry_factor, 1, 100),
            ("lis.retry_cap", lis.retry_cap, lis.retry_base, 86_400),
            ("lis.retry_jitter", lis.retry_jitter, 0, 0.99),
            ("lis.attempts", lis.attempts, 1, 1_000_000),
            ("lis.connections", lis.connections, 1, limits.connections),
            ("lis.query_patience", lis.query_patience, 0, 25),
            ("lis.window_days", lis.window_days, 1, 3660),
        ]
    for key, value, least, most in bounds:
        if not least <= value <= most:  # also NaN
            raise ConfigError(file, key, f"{value:g} is out of bounds", f"give a number from {least:g} to {most:g}")


def _zone(file: str, key: str, name: str) -> None:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ConfigError(file, key, f"{name!r} is not a time zone", 'write it like "Europe/Paris"') from None


def _encoding(file: str, key: str, name: str) -> None:
    remedy = 'write one that contains ASCII, like "latin-1", "cp1252" or "utf-8"'
    try:
        contains_ascii = "MSH|^~\\&\r".encode(name) == b"MSH|^~\\&\r"
    except LookupError:
        raise ConfigError(file, key, f"{name!r} is not a character set", remedy) from None
    if not contains_ascii:  # UTF-16, say: neither frames nor segments could be found in it
        raise ConfigError(file, key, f"{name!r} does not contain ASCII", remedy)
