"""How does a rule pack come from its files? One page of TOML and one CSV, read strictly, its own examples run, its content hashed."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

from labmw.errors import PackError
from rules.checks.bounds import BoundsCheck
from rules.examples import Example, read_example
from rules.limits import KINDS, NUMERIC, LimitTable, Row, read_limits
from rules.rule import Message, Rule, apply, identifier, read_message, read_rule
from rules.strict import Table, refusal
from rules.subject import subject
from rules.vocabulary import is_loinc, loincs_in

FILE = "pack.toml"
SHIPPED = Path(__file__).parent / "packs"
LARGEST = 2**20  # bytes of one page of TOML
_ID = re.compile(r'^\s*id\s*=\s*"([^"\n]{1,64})"', re.MULTILINE)
_CITATION = re.compile(r"(?:(?P<column>[a-z_]+)=)?(?P<source>[A-Za-z0-9._-]+)")


@dataclass(frozen=True, slots=True)
class Analyte:
    """A test of a pack: its LOINC codes, its names, and the words it may say instead of a number and still be released."""

    alias: str
    loincs: tuple[str, ...]
    name: Message
    words: frozenset[str]


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

    @property
    def name(self) -> str:
        """The pack as verdicts name it: id@version#the first twelve digits of its hash."""
        return f"{self.id}@{self.version}#{self.hash.removeprefix('sha256:')[:12]}"

    @property
    def loincs(self) -> frozenset[str]:
        """Every LOINC code it judges."""
        return frozenset(loinc for analyte in self.analytes.values() for loinc in analyte.loincs)


@dataclass(frozen=True, slots=True)
class Broken:
    """A pack that cannot be used: why, and which tests it would have judged as far as its text still tells."""

    file: str
    error: PackError
    pack: str
    loincs: frozenset[str]


def load(path: Path) -> Pack:
    """Read one pack (its folder or its TOML file); raises PackError naming file, line or key, and remedy."""
    path = path / FILE if path.is_dir() else path
    file = str(path)
    data = _toml(file, path)
    table = Table(file, "", data)
    head = table.table("pack", "begin with [pack]")
    identity, version = identifier(head, "id"), identifier(head, "version")
    title = read_message(head, "title", frozenset())
    authors = head.texts("authors")
    limits_file = head.text("limits", default="")
    head.done()
    sources = _sources(table)
    analytes = _analytes(table)
    loincs = {alias: analyte.loincs for alias, analyte in analytes.items()}
    rules, examples = _rules(table, loincs)
    table.done()
    limits = _limits(head, path, limits_file, loincs)
    csv = str(path.with_name(limits_file or FILE))
    _check_sources(file, csv, limits, rules, sources)
    _check_reach(file, csv, analytes, rules, limits)
    _check_examples(file, rules, examples, analytes, limits)
    return Pack(
        identity, version, title, authors, sources, analytes, rules, limits, examples, _hash(data, limits), file
    )


def load_all(paths: Iterable[Path]) -> tuple[tuple[Pack, ...], tuple[Broken, ...]]:
    """Read the packs in these folders or files; a broken one stops itself alone and says why."""
    packs: list[Pack] = []
    broken: list[Broken] = []
    for path in paths:
        for one in _find(path):
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


def _toml(file: str, path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise refusal(file, "", "there is no such file", f"a pack is a folder with a {FILE}") from None
    except OSError as error:
        raise refusal(file, "", f"cannot be read ({error})", "check its permissions") from None
    if len(data) > LARGEST:
        raise refusal(file, "", f"has {len(data)} bytes", f"keep a pack under {LARGEST} bytes")
    try:
        return tomllib.loads(data.decode("utf-8-sig"), parse_float=Decimal)
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


def _analytes(table: Table) -> dict[str, Analyte]:
    outer = table.table("analytes", 'name the tests: [analytes.K], then loinc = ["2823-3"]')
    found: dict[str, Analyte] = {}
    owners: dict[str, str] = {}
    for alias in outer.names():
        inner = outer.table(alias, "")
        loincs = inner.texts("loinc", 'list LOINC codes: loinc = ["2823-3"]')
        if not loincs:
            raise inner.refuse("loinc", "is missing", 'list LOINC codes: loinc = ["2823-3"]')
        for loinc in loincs:
            if not is_loinc(loinc):
                raise inner.refuse(
                    "loinc", f"{loinc!r} is not a LOINC code", "check its digits; the last one is a check digit"
                )
            if loinc in owners:
                raise inner.refuse(
                    "loinc", f"{loinc!r} belongs to {owners[loinc]} too", "give each code to one analyte"
                )
            owners[loinc] = alias
        found[alias] = Analyte(alias, loincs, read_message(inner, "name", frozenset()), frozenset(inner.texts("words")))
        inner.done()
    if not found:
        raise table.refuse("analytes", "is empty", "name at least one test")
    return found


def _rules(
    table: Table, loincs: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[Rule, ...], tuple[tuple[Rule, Example], ...]]:
    rules: list[Rule] = []
    examples: list[tuple[Rule, Example]] = []
    for one in table.tables("rule"):
        rule = read_rule(one, tuple(loincs))
        if any(rule.id == other.id for other in rules):
            raise one.refuse("id", f"{rule.id!r} is used twice", "give each rule its own id")
        rules.append(rule)
        examples += [(rule, read_example(test, loincs, rule.analytes)) for test in one.tables("test")]
        one.done()
    return tuple(rules), tuple(examples)


def _limits(head: Table, path: Path, name: str, loincs: Mapping[str, tuple[str, ...]]) -> LimitTable:
    if not name:
        return LimitTable((), {})
    if Path(name).name != name or "\\" in name:
        raise head.refuse("limits", f"{name!r} is not beside the pack", "name a CSV in the folder of the pack")
    file = path.with_name(name)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise refusal(
            str(file), "", f"cannot be read ({error})", "put it beside the pack, or mend pack.limits"
        ) from None
    return read_limits(str(file), data, loincs)


def _check_sources(file: str, csv: str, limits: LimitTable, rules: Sequence[Rule], sources: Mapping[str, str]) -> None:
    for rule in rules:
        if rule.source and rule.source not in sources:
            raise refusal(file, f"rule {rule.id}.source", f"{rule.source!r} is not in [sources]", "cite it there")
    for row in limits.rows:
        cited: set[str] = set()
        for word in row.source.split():
            match = _CITATION.fullmatch(word)
            column = match["column"] if match else None
            if match is None or match["source"] not in sources or column not in (None, *KINDS, *NUMERIC):
                remedy = "write one source for the row, or lim=... crit_lo=... crit_hi=... abs=..."
                raise refusal(csv, f"{row.line}, source", f"{word!r} is not in [sources]", remedy)
            cited.update(one for one in NUMERIC if column is None or one == column or one.startswith(f"{column}_"))
        for column in NUMERIC:
            kind, _, end = column.partition("_")
            limit = row.bounds[kind].low if end == "lo" else row.bounds[kind].high
            if limit is not None and column not in cited:
                raise refusal(
                    csv, f"{row.line}, source", f"does not say where {column} comes from", f"add {column}=..."
                )


def _has(row: Row, kind: str) -> bool:
    return row.bounds[kind].low is not None or row.bounds[kind].high is not None


def _check_reach(
    file: str, csv: str, analytes: Mapping[str, Analyte], rules: Sequence[Rule], limits: LimitTable
) -> None:
    """Refuse a test without release criterion, a rule without numbers, and numbers without a rule."""
    used: set[tuple[str, str]] = set()
    for rule in rules:
        if not isinstance(rule.check, BoundsCheck):
            continue
        kind = rule.check.kind
        for alias in rule.analytes:
            used.add((alias, kind))
            for loinc in analytes[alias].loincs:
                rows = [row for row in limits.rows if row.analyte == alias]
                if not limits.of(loinc) or not any(_has(row, kind) for row in rows):
                    problem = f"needs {kind} limits of {alias} ({loinc}), and there are none"
                    raise refusal(file, f"rule {rule.id}", problem, "add a row to the CSV")
    for row in limits.rows:
        if not _has(row, KINDS[0]):
            raise refusal(csv, row.line, f"has no release limit for {row.analyte}", "write lim_lo, lim_hi or both")
        for kind in KINDS:
            if _has(row, kind) and (row.analyte, kind) not in used:
                raise refusal(
                    csv,
                    row.line,
                    f"the {kind} limits of {row.analyte} are used by no rule",
                    "add the rule to the pack",
                )
    for alias, analyte in analytes.items():
        if (alias, KINDS[0]) not in used and not analyte.words:
            problem = "has no criterion by which it could be released"
            raise refusal(
                file, f"analytes.{alias}", problem, 'cover it by a rule with check = "limit", or give it words'
            )


def _check_examples(
    file: str,
    rules: Sequence[Rule],
    examples: Sequence[tuple[Rule, Example]],
    analytes: Mapping[str, Analyte],
    limits: LimitTable,
) -> None:
    seen: dict[str, set[str]] = {rule.id: set() for rule in rules}
    for rule, example in examples:
        analyte = analytes[example.alias]
        outcome = apply(rule, subject(example.case), limits.of(example.case.result.loinc), analyte.words)
        if outcome.level is not example.expect:
            problem = f"comes out as {outcome.level.name.lower()} ({outcome.word}: {outcome.detail})"
            remedy = f"it expects {example.expect.name.lower()}: mend the rule or the example"
            raise refusal(file, example.where, problem, remedy)
        seen[rule.id].add(outcome.word)
    for rule in rules:
        for word, remedy in (("fired", "in which it fires"), ("passed", "in which it does not fire")):
            if word not in seen[rule.id]:
                raise refusal(file, f"rule {rule.id}", f"has no example {remedy}", "add a [[rule.test]]")


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
    if value is None:
        return None
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    assert isinstance(value, date | datetime | time)
    return value.isoformat()
