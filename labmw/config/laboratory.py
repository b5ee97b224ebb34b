"""What can be said of the laboratory itself: its place, its store, its rules, its people, and how long it keeps what."""

from __future__ import annotations

from typing import Literal

from labmw.config.strict import Strict


class Site(Strict, frozen=True):
    """Which laboratory this is."""

    id: str
    name: str = ""
    timezone: str = "Europe/Paris"
    language: Literal["en", "fr"] = "fr"


class Store(Strict, frozen=True):
    """Where everything is kept: a SQLite file by default."""

    url: str = "sqlite:///labmw.db"
    commit_timeout: float = 10.0  # seconds until an owner that cannot commit refuses (law 3)
    queue: int = 10_000  # transactions waiting at most
    group: int = 50  # transactions per commit at most
    key_file: str = ""  # the store keys, under which the bytes of lines and messages are encrypted; "": they are not


class Web(Strict, frozen=True):
    """The process that serves /metrics and /healthz."""

    host: str = "127.0.0.1"
    port: int = 8321
    enabled: bool = True


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class WorkMode(Strict, frozen=True):
    """A way of working that rules may ask for by its name, such as on-call."""

    name: str
    begins: str  # "20:00", on the laboratory's own clock
    ends: str
    days: list[Day] = []  # on which it begins; empty = every day


class Rules(Strict, frozen=True):
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


class Role(Strict, frozen=True):
    """One role: what its people may do, and who they are, as they sign with --by."""

    may: list[Act] = []
    people: list[str] = []


class Drivers(Strict, frozen=True):
    """The laboratory's own driver files."""

    folder: str = ""


class Mapping(Strict, frozen=True):
    """What the laboratory calls things: its catalogue and the codes of its analyzers."""

    folder: str = ""  # one TOML file for each version, with its CSV tables beside it
    signatures: str = ""  # TOML file of signatures: two people under each version that holds


class Limits(Strict, frozen=True):
    """Bounds that keep one bad peer from harming the others."""

    connections: int = 1000
    message_bytes: int = 64 * 2**20


class Retention(Strict, frozen=True):
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
