"""Explanations: every part of a verdict as codes and facts, with a sentence in both languages for each code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import rules
from labmw import phrases
from labmw.model import Flag, Verdict, VerdictLevel
from rules.engine import critical, judge
from rules.explain import Line, explain, message
from rules.pack import Packs
from rules.vocabulary import LANGUAGES
from tests.rules.cases import active, before, case, changed
from tests.rules.test_guards import CASES


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Packs:
    return active(tmp_path_factory.mktemp("explain"))


def test_all_parts_in_order(packs: Packs) -> None:
    verdict = judge(case("6.3", history=(before("4.0"),)), packs)
    lines = explain(verdict)
    assert lines[0] == Line("verdict", "verdict-hold", {})
    assert lines[1] == Line("pack", "judged-by", {"pack": verdict.packs[0]})
    assert [line.code for line in lines if line.part == "reason"] == ["critical", "delta", "above-limit"]
    assert len([line for line in lines if line.part == "rule"]) == len(verdict.trace)
    shown = [line for line in lines if line.rule == "small/CRITICAL" and line.part == "rule"]
    assert (
        shown[0].facts["detail"]
        == "value < crit_lo [6.3 vs 2.8] -> false; value > crit_hi [6.3 vs 6.2] -> true; row limits.csv:2"
    )


def test_the_packs_own_sentence(packs: Packs) -> None:
    lines = [line for line in explain(judge(case("5.6"), packs)) if line.part == "reason"]
    assert [message(lines[0], language) for language in LANGUAGES] == ["5.6 mmol/L fired", "5.6 mmol/L déclenché"]
    assert message(Line("reason", "no-rule", {}), "en") == ""


@pytest.mark.parametrize("level", list(VerdictLevel))
def test_every_level_has_its_sentence(level: VerdictLevel) -> None:
    code = explain(Verdict(level, (), ()))[0].code
    assert code in phrases.codes()


def sentences(packs: Packs) -> list[tuple[str, set[str]]]:
    """Every reason that some case brings about, with the facts it has."""
    changes: list[dict[str, Any]] = [
        *({"text": text} for text in ("2", "5.6", "6.3", "13", "<5.6", ">6.0", "hello", "")),
        *({"history": history} for history in (None, (), (before("1"),), (before("4", unit="mg/dL"),), (before("0"),))),
        {"indices": None}, {"flags": frozenset({Flag.HIGH, Flag.HAEMOLYSIS})}, {"flags": frozenset({Flag.CRITICAL_LOW})},
        {"unit": "mg/dL"}, {"completed": None}, {"patient": None},
    ]  # fmt: skip
    made = [case(**one) for one in changes] + [changed(changes) for changes, _ in CASES.values()]
    reasons = [reason for one in made for reason in judge(one, packs).reasons]
    reasons += [found for one in made if (found := critical(one, packs)) is not None]
    return [(reason.code, {name for name, _ in reason.facts}) for reason in reasons]


def test_every_reason_has_a_sentence_and_brings_its_facts(packs: Packs) -> None:
    found = sentences(packs)
    assert len({code for code, _ in found}) > 20
    for code, facts in found:
        assert code in phrases.codes(), code
        assert phrases.facts_of(code) <= facts, code


def test_every_code_written_in_the_rules_has_a_sentence() -> None:
    """Read the source for reason codes, so that one that no test brings about is not forgotten."""
    folder = Path(rules.__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    codes = set(re.findall(r'(?:Finding\((?:None|True|truth|bool\(found\)), |Reason\(|return \()"([a-z-]+)"', text))
    codes |= set(re.findall(r'"(pack-[a-z]+)"', text)) | {
        "below-limit",
        "above-limit",
        "absurd",
        "haemolysis",
        "icterus",
        "lipaemia",
    }
    assert len(codes) > 25
    assert codes <= phrases.codes(), codes - phrases.codes()
    words = {f"rule-{word}" for word in ("fired", "passed", "unknown", "exempt")}
    assert words <= phrases.codes()


def test_sentences_read_well_in_both_languages(packs: Packs) -> None:
    for language in LANGUAGES:
        for line in explain(judge(case("6.3", history=(before("4.0"),), indices=None), packs)):
            said = phrases.say(line.code, language, **line.facts)
            assert "{" not in said
            assert "…" not in said
            assert said[-1] in ".:?" or line.part == "rule"
