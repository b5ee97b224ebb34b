"""How does a rule pack come from its files? One page of TOML and one CSV, read strictly, its own examples run, its content hashed."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from labmw.errors import PackError
from rules.action import Protocols, read_protocols
from rules.analyte import Analyte, Analytes, read_analytes
from rules.examples import Example, read_example
from rules.inherit import Layer, Override, chain, merged
from rules.limits import KINDS, LimitTable, read_limits_of
from rules.message import Message, read_message
from rules.review import check_examples, check_reach, check_sources
from rules.rule import Rule, identifier, read_rule
from rules.strict import Table, refusal
from rules.vocabulary import loincs_in

FILE = "pack.toml"
SHIPPED = Path(__file__).parent / "packs"
LARGEST = 2**20  # bytes of one page of TOML
_ID = re.compile(r'^\s*id\s*=\s*"([^"\n]{1,64})"', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Pack:
    """One rule pack, whole and checked."""

    id: str
    version: str
    title: Message
    authors: tuple[str, ...]
    sources: Mapping[str, str]
    analytes: Mapping[str, Analyte]
    rules: tuple[Rule, ...]
    limits: LimitTable
    examples: tuple[tuple[Rule, Example], ...]
    hash: str
    file: str
    protocols: Protocols = field(default_factory=dict)
    review_by: date | None = None  # when somebody must look at it again
    extends: tuple[str, ...] = ()  # id@version of the packs it builds on, the network's first
    overrides: tuple[Override, ...] = ()

    @property
    def name(self) -> str:
        """The pack as verdicts name it: id@version#the first twelve digits of its hash."""
        return f"{self.id}@{self.version}#{self.hash.removeprefix('sha256:')[:12]}"

    @property
    def loincs(self) -> frozenset[str]:
        """Every LOINC code it judges."""
        return frozenset(loinc for analyte in self.analytes.values() for loinc in analyte.loincs)


@dataclass(frozen=True, slots=True)
class Written:
    """What a pack is made of before it is understood: one page of TOML (of several layers: what they make together) and its limit tables."""

    file: str
    data: Mapping[str, Any]
    text: str  # "" where lines of the page cannot be told any more
    sheets: tuple[tuple[str, bytes], ...] = ()  # (file, content), the parent's first
    extends: tuple[str, ...] = ()
    overrides: tuple[Override, ...] = ()


@dataclass(frozen=True, slots=True)
class Broken:
    """A pack that cannot be used: why, and which tests it would have judged as far as its text still tells."""

    file: str
    error: PackError
    pack: str
    loincs: frozenset[str]


def load(path: Path) -> Pack:
    """Read one pack (its folder or its TOML file); raises PackError naming file, line or key, and remedy."""
    return build(written(path))


def written(path: Path) -> Written:
    """Read what a pack is made of, and nothing more: its page, those it extends, and their limit tables."""
    path = path / FILE if path.is_dir() else path
    layers = chain(path, lambda place: _toml(str(place), place), FILE)
    sheets = tuple(sheet for layer in layers if (sheet := _sheet(layer)) is not None)
    if len(layers) == 1:
        return Written(str(path), layers[0].data, layers[0].text, sheets)
    data, overrides = merged(layers)
    return Written(str(path), data, "", sheets, tuple(layer.name for layer in layers[:-1]), overrides)


def build(made: Written) -> Pack:
    """Make a pack of what is written, checked as a whole; raises PackError naming file, line or key, and remedy."""
    file, path = made.file, Path(made.file)
    table = Table(file, "", dict(made.data), made.text)
    head = table.table("pack", "begin with [pack]")
    identity, version = identifier(head, "id"), identifier(head, "version")
    title = read_message(head, "title", frozenset())
    authors = head.texts("authors")
    limits_file = head.text("limits", default="")
    review_by = head.day("review_by", "write it like 2027-04-01") if head.has("review_by") else None
    head.done()
    sources = _sources(table)
    analytes = read_analytes(table)
    loincs = {alias: analyte.loincs for alias, analyte in analytes.items()}
    protocols = read_protocols(table)
    rules, examples = _rules(table, analytes, protocols)
    table.done()
    limits = read_limits_of(made.sheets, loincs)
    csv = str(path.with_name(limits_file or FILE))
    check_sources(file, csv, limits, rules, sources, made.text)
    check_reach(file, csv, analytes, rules, limits, made.text)
    check_examples(file, rules, examples, analytes, limits, made.text)
    return Pack(
        identity, version, title, authors, sources, analytes, rules, limits, examples, _hash(made.data, limits), file, protocols,
        review_by, made.extends, made.overrides,
    )  # fmt: skip


def load_all(paths: Iterable[Path]) -> tuple[tuple[Pack, ...], tuple[Broken, ...]]:
    """Read the packs in these folders or files; a broken one stops itself alone and says why."""
    packs: list[Pack] = []
    broken: list[Broken] = []
    found = {one.resolve(): one for path in paths for one in _find(path)}  # a folder may be named twice
    for one in found.values():
        try:
            packs.append(load(one))
        except PackError as error:
            broken.append(_broken(one, error))
        except Exception as error:  # a mistake of ours must not stop the other packs either
            problem = f"cannot be used ({type(error).__name__}: {error})"
            broken.append(_broken(one, refusal(str(one), "", problem, "report it with the file")))
    return tuple(packs), tuple(broken)


def _find(path: Path) -> list[Path]:
    """Return the pack at a path, or the packs in the folders below it."""
    if path.is_dir() and not (path / FILE).exists():
        return sorted(one.parent for one in path.glob(f"*/{FILE}")) or [path]
    return [path]


def _broken(path: Path, error: PackError) -> Broken:
    folder = path if path.is_dir() else path.parent
    text = "".join(_text(one) for one in [path, *sorted(folder.glob("*.csv"))] if one.is_file())
    if path.is_dir():
        text = _text(path / FILE) + text
    found = _ID.search(text)
    return Broken(str(path), error, found[1] if found else folder.name, loincs_in(text))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _toml(file: str, path: Path) -> tuple[dict[str, Any], str]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise refusal(file, "", "there is no such file", f"a pack is a folder with a {FILE}") from None
    except OSError as error:
        raise refusal(file, "", f"cannot be read ({error})", "check its permissions") from None
    if len(data) > LARGEST:
        raise refusal(file, "", f"has {len(data)} bytes", f"keep a pack under {LARGEST} bytes")
    try:
        text = data.decode("utf-8-sig")
        return tomllib.loads(text, parse_float=Decimal), text
    except UnicodeDecodeError as error:
        raise refusal(file, "", f"is not UTF-8 ({error})", "save it as UTF-8") from None
    except (
        ValueError,
        ArithmeticError,
        RecursionError,
    ) as error:  # TOML errors name their line; the others are absurd numbers or nesting
        raise refusal(file, "", f"is not TOML ({error})", "mend the line it names") from None


def _sources(table: Table) -> dict[str, str]:
    inner = table.table("sources", 'cite where the numbers come from: [sources], then name = "citation"')
    found = {key: inner.text(key) for key in inner.names()}
    inner.done()
    return found


def _rules(
    table: Table, analytes: Analytes, protocols: Protocols
) -> tuple[tuple[Rule, ...], tuple[tuple[Rule, Example], ...]]:
    rules: list[Rule] = []
    examples: list[tuple[Rule, Example]] = []
    for one in table.tables("rule"):
        rule = read_rule(one, analytes, protocols)
        if any(rule.id == other.id for other in rules):
            raise one.refuse("id", f"{rule.id!r} is used twice", "give each rule its own id")
        rules.append(rule)
        examples += [(rule, read_example(test, analytes, rule.analytes)) for test in one.tables("test")]
        one.done()
    return tuple(rules), tuple(examples)


def _sheet(layer: Layer) -> tuple[str, bytes] | None:
    """Read the limit table that a layer names."""
    named = layer.data.get("pack")
    if not isinstance(named, Mapping) or "limits" not in named:
        return None
    name = layer.head.text("limits")
    if Path(name).name != name or "\\" in name:
        raise layer.head.refuse("limits", f"{name!r} is not beside the pack", "name a CSV in the folder of the pack")
    file = layer.path.with_name(name)
    try:
        return str(file), file.read_bytes()
    except OSError as error:
        raise refusal(
            str(file), "", f"cannot be read ({error})", "put it beside the pack, or mend pack.limits"
        ) from None


def _hash(data: Mapping[str, Any], limits: LimitTable) -> str:
    """Hash what the pack says, not how it is typed: comments, spacing, and the mark of decimals do not count."""
    rows = [
        (
            *(row.analyte, row.sex, row.start.text, row.end.text if row.end else "", row.ward, row.specimen),
            *(row.unit, row.source, row.place),
            *(_plain(end) for kind in KINDS for end in (row.bounds[kind].low, row.bounds[kind].high)),
        )
        for row in limits.rows
    ]
    text = json.dumps([data, rows], sort_keys=True, ensure_ascii=True, separators=(",", ":"), default=_plain)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> str | None:
    """Write a decimal without the zeros that say nothing, and a day as it is."""
    if value is None:
        return None
    if isinstance(value, date):
        return value.isoformat()
    assert isinstance(value, Decimal)
    return f"{value.normalize():f}"
