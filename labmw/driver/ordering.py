"""How is a family of analyzers told what to do, and how does it ask? Its order dialect (LIS02-A2 host query), as values.

Records are declared as they look on the wire: a mapping from field number to a template, in which `^` stands for the component delimiter and
`{word}` for what is known of the tube. What a document or a capture does not show keeps the standard's own form.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from protocols.astm.record import Delimiters

_WORDS = """host analyzer model version now message specimen code priority action report material ordered collected
patient family given birth sex dilution q1 q2 q3 q4 q5 q6 q7 q8 q9 q10"""
WORDS: Final = frozenset(_WORDS.split())
"""What a template may speak of.

host: our name. analyzer, model, version: H.5, its first component, and H.13 of what the analyzer said last. message: the number of our message. now, ordered, collected:
moments, in the analyzer's zone. specimen: the identifier, as the analyzer wrote it where it asked for it. code: the analyzer's own test code. dilution: how far the specimen is to be diluted, by `dilutions`.
action, report: O.12 and O.26. material: O.16, by `materials`. q1 to q10: the components of Q.3 that asked for the tube, empty unasked.
"""
WORD: Final = re.compile(r"\{([a-z0-9]*)\}")


class NoWork(enum.Enum):
    """How "there is nothing to do for this tube" is said."""

    TERMINATOR = "terminator"  # no record between H and L, L.3 = I (LIS02-A2 §12.3)
    NO_ORDER = "no-order"  # O.26 = Y (§8.4.26)
    NO_PATIENT = "no-patient"  # O.26 = Z
    EMPTY = "empty"  # an O record that orders no test
    QUERY = "query"  # the query comes back, Q.13 = X


@dataclass(frozen=True, slots=True)
class OrderDialect:
    """How orders are written for a family, and how its queries are read; every default is LIS02-A2's own.

    `tests` says whether the tests of one priority stand in one O record, separated by the repeat delimiter, or in one record each, or all tests
    of the tube in one record, as urgent as the most urgent of them. `materials`
    are O.16 by the specimen type of the order (HL7 table 0487; "" for an order that names none): where there are any, a type that is not among
    them is not sent. `cancel` "" says that the family cannot be told to forget an order. `unable` is L.3 of the answer to a query that cannot
    be served now ("" for silence, which the analyzer ends by itself). `patience`: seconds for which the analyzer waits for an answer; the least
    that is documented for anybody is the default (cobas e 411, protocol notes B.16). `codes` {} says that what is ordered is called otherwise than
    what is reported, by names that are each laboratory's own.

    `sources` says where each choice comes from: by place ("O.5", several with blanks between them, "P" for all of P), or by the name of a
    choice ("no-work", "terminator", "tests"); what is not named keeps the standard's form.
    """

    delimiters: Delimiters | None = None  # None: those of the analyzer's own query, else the standard's
    header: Mapping[int, str] = field(
        default_factory=lambda: {5: "{host}", 10: "{analyzer}", 12: "P", 13: "{version}", 14: "{now}"}
    )
    patient: Mapping[int, str] = field(
        default_factory=lambda: {4: "{patient}", 6: "{family}^{given}", 8: "{birth}", 9: "{sex}"}
    )
    order: Mapping[int, str] = field(
        default_factory=lambda: {
            3: "{specimen}",
            5: "^^^{code}",
            6: "{priority}",
            7: "{ordered}",
            8: "{collected}",
            12: "{action}",
            16: "{material}",
            26: "{report}",
        }
    )
    tests: Literal["repeats", "records", "tube"] = "repeats"
    answer: str = "Q"  # O.26 of an order that answers a query
    unasked: str = "O"  # O.26 of an order that nobody asked for
    new: str = "N"  # O.12
    add: str = "A"  # O.12 of a test for a tube of which the analyzer has work already
    cancel: str = "C"  # O.12
    end_of_answer: str = "F"  # L.3
    end_unasked: str = "N"
    nothing: NoWork = NoWork.TERMINATOR
    unable: str = "Q"
    priorities: Mapping[str, str] = field(default_factory=lambda: {one: one for one in "SARCP"})  # any other is R
    materials: Mapping[str, str] = field(default_factory=dict)
    codes: Mapping[str, str] | None = (
        None  # O.5 by LOINC code; None: the keys of the driver's tests are what is ordered
    )
    dilutions: Mapping[str, str] = field(
        default_factory=dict
    )  # what is written for "1 to 10" (key 10); "" is the key of a specimen as it is; empty: none can be ordered
    most: int = 0  # tubes in one message at most; 0 = as many as there are
    frame: int = 240  # characters of text in one frame of ours (E1381-95 6.3.1)
    patience: float = 15.0
    keeps_worklist: bool = True  # False: it takes orders only when it has asked
    rack: int = 0  # the component of Q.3 that says on which rack or carrier the tube stands; 0 = none does
    position: int = 0
    # --- the query ---
    everything: str = "ALL"  # the whole of Q.3, or of Q.3's specimen
    wanted: frozenset[str] = frozenset({"O", "N", ""})  # Q.13 that asks for orders
    aborted: frozenset[str] = frozenset({"A", "X"})  # Q.13 that takes a query back
    sources: Mapping[str, str] = field(default_factory=dict)

    def source_of(self, place: str) -> str:
        """Where a choice comes from; "" for the standard's own form."""
        told = {name: source for names, source in self.sources.items() for name in names.split()}
        return told.get(place) or told.get(place.partition(".")[0], "")


@dataclass(frozen=True, slots=True)
class Chosen:
    """One thing that a dialect writes: where, what, and what says so ("": the standard)."""

    place: str
    text: str
    source: str = ""


def chosen(dialect: OrderDialect) -> list[Chosen]:
    """What a dialect writes, place by place, each with its source; behind a word what it stands for."""
    asks_only = not dialect.keeps_worklist
    words = {
        "{action}": (dialect.new,) if asks_only else (dialect.new, dialect.add, dialect.cancel),
        "{report}": (dialect.answer,) if asks_only else (dialect.answer, dialect.unasked),
        "{material}": tuple(dialect.materials.values()),
        "{dilution}": tuple(dialect.dilutions.values()),
    }
    found: list[Chosen] = []
    for letter, templates in (("H", dialect.header), ("P", dialect.patient), ("O", dialect.order)):
        for number, template in sorted(templates.items()):
            place = f"{letter}.{number}"
            meant = dict.fromkeys(one for word, values in words.items() if word in template for one in values if one)
            text = f"{template} = {', '.join(meant)}" if meant else template
            found.append(Chosen(place, text, dialect.source_of(place)))
    ends = (dialect.end_of_answer,) if asks_only else (dialect.end_of_answer, dialect.end_unasked)
    found.append(Chosen("L.3", ", ".join(dict.fromkeys(one for one in ends if one)) or "–", dialect.source_of("L.3")))
    found.append(Chosen("tests", dialect.tests, dialect.source_of("tests")))
    found.append(Chosen("no-work", dialect.nothing.value, dialect.source_of("no-work")))
    return found


def unsourced(dialect: OrderDialect) -> list[str]:
    """Where a dialect differs from the standard without saying what shows it."""
    plain = {(one.place, one.text) for one in chosen(OrderDialect())}
    return [one.place for one in chosen(dialect) if not one.source and (one.place, one.text) not in plain]


def faults(dialect: OrderDialect) -> list[str]:
    """What is wrong with a dialect, one sentence each; empty when it may be used."""
    found: list[str] = []
    for name, first, templates in (("H", 3, dialect.header), ("P", 3, dialect.patient), ("O", 3, dialect.order)):
        for number, template in templates.items():
            if number < first:
                found.append(f"orders, {name}.{number}: labmw itself writes the fields before {name}.{first}")
            if unknown := sorted(set(WORD.findall(template)) - WORDS):
                found.append(
                    f"orders, {name}.{number}: there is no word {unknown[0]!r}; use {', '.join(sorted(WORDS))}"
                )
            if "{" in WORD.sub("", template) or "}" in WORD.sub("", template):
                found.append(f"orders, {name}.{number}: a brace that belongs to no word in {template!r}: take it out")
    if "{code}" not in dialect.order.get(5, ""):
        found.append("orders: O.5 does not hold {code}, so that no test would be ordered")
    if not any("{specimen}" in one or "{q" in one for one in dialect.order.values()):
        found.append("orders: no field of O holds {specimen}")
    if dialect.nothing is not NoWork.TERMINATOR and dialect.materials and "" not in dialect.materials:
        found.append(
            'orders: "no work" is an O record, and `materials` has no entry "" for a tube of which nothing is known'
        )
    if dialect.dilutions and "{dilution}" not in dialect.order.get(5, ""):
        found.append("orders: `dilutions` are declared, and O.5 has no place for {dilution}")
    if odd := sorted(one for one in dialect.dilutions if one and not (one.isdecimal() and int(one) > 1)):
        found.append(f"orders: {odd[0]!r} of `dilutions` is no dilution; write 10 for 1 to 10")
    if dialect.wanted & dialect.aborted:
        found.append("orders: a status of Q.13 cannot both ask and take back")
    if not 1 <= dialect.patience <= 600:
        found.append(f"orders: {dialect.patience:g} s is no time that an analyzer waits; give 1 to 600")
    return found
