"""Does a mapping hold only under two people's eyes and within its dates, and does nothing fall back in silence when it may not?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.driver.declaration import Driver
from labmw.errors import MappingError
from labmw.line.registry import Registry
from labmw.mapping import site
from labmw.mapping.signature import Signature, as_toml, four_eyes, read_signatures, signers
from labmw.mapping.site import Mappings, overlaid, specimens_of
from labmw.mapping.version import Analyte, Code, Version, digest
from labmw.phrases import codes, facts_of

AT = datetime(2026, 12, 10, tzinfo=UTC)
ERBA = Registry.find().named("erba-xl")
ALT = Analyte("ALT", "ALAT", "1742-6", "U/L", specimens=("SER",))
GLU = Analyte("GLU", "Glucose", "14749-6", "mmol/L")


def made(version: str = "1", begins: datetime = AT - timedelta(days=1), **different: object) -> Version:
    lines = (Code("GLCC", "GLU", driver="erba-xl"), Code("ALTT", "ALT", link="one"), Code("CKK", "-", driver="erba-xl"))
    one = Version(
        "LAB1",
        version,
        "A",
        begins,
        None,
        {"ALT": ALT, "GLU": GLU},
        lines,
        {"mg pour dL": "mg/dL"},
        file=f"{version}.toml",
    )
    one = replace(one, **different)  # type: ignore[arg-type]
    return replace(one, hash=digest(one))


def signed(one: Version, who: str, role: str = "biologist", days: int = 0) -> Signature:
    return Signature(one.id, one.version, one.hash, who, role, AT - timedelta(days=30 - days), "compared")


def both(one: Version, days: int = 0) -> tuple[Signature, ...]:
    return signed(one, "Dr Petit", days=days), signed(one, "A. Martin", "technician", days=days)


def why(mappings: Mappings, at: datetime = AT) -> str:
    state = mappings.state(at)
    if state.version is None:
        assert state.code in codes()
        assert facts_of(state.code) == {name for name, _ in state.facts}
    return state.version.version if state.version else state.code


def test_two_people_and_one_of_them_a_biologist() -> None:
    one = made()
    petit, martin = both(one)
    assert four_eyes(one, [petit, martin])
    assert not four_eyes(one, [petit])
    assert not four_eyes(one, [petit, replace(petit, who="  dr  PETIT ", at=AT)])
    assert not four_eyes(one, [martin, replace(martin, who="B. Durand")])
    assert not four_eyes(one, [petit, replace(martin, hash="sha256:" + "0" * 64)])
    assert [s.who for s in signers(one, [martin, petit])] == ["A. Martin", "Dr Petit"]


def test_what_counted_signatures_and_not_people_would_be_noticed() -> None:
    """The variant that breaks it."""
    one = made()
    twice = [signed(one, "Dr Petit"), signed(one, "dr petit", days=1)]
    assert len(twice) >= 2
    assert not four_eyes(one, twice)


def test_what_holds() -> None:
    one, two = made("1"), made("2", AT + timedelta(days=5))
    assert why(Mappings(True, (one,), both(one))) == "1"
    assert why(Mappings(True, (one,))) == "mapping-unsigned"
    assert why(Mappings(True)) == "mapping-none"
    ahead = Mappings(True, (one, two), both(one) + both(two))
    assert why(ahead) == "1"
    assert why(ahead, AT + timedelta(days=5)) == "2"  # to the second
    assert why(ahead, AT + timedelta(days=5) - timedelta(microseconds=1)) == "1"
    ended = made("1", ends=AT)
    assert why(Mappings(True, (ended,), both(ended))) == "mapping-none"
    draft = made("3", AT - timedelta(hours=1))
    assert why(Mappings(True, (one, draft), both(one))) == "1"  # a draft that nobody has signed yet
    assert why(Mappings(True, (one, made("4")), both(one) + both(made("4")))) == "mapping-twice"


def test_an_older_version_never_takes_the_place_of_a_damaged_newer_one() -> None:
    old, new = made("1", AT - timedelta(days=9)), made("2", AT - timedelta(days=1))
    signatures = both(old) + both(new, days=5)
    altered = replace(new, units={})
    altered = replace(altered, hash=digest(altered))
    assert why(Mappings(True, (old, new), signatures)) == "2"
    assert why(Mappings(True, (old, altered), signatures)) == "mapping-altered"
    assert why(Mappings(True, (old,), signatures, (MappingError("2.toml: broken; mend it"),))) == "mapping-broken"
    assert why(Mappings(True, (old,), signatures)) == "mapping-gone"
    assert why(Mappings(True, (new,), signatures)) == "2"  # an old one may be put away


def test_a_driver_gets_the_sites_codes_and_keeps_the_rest() -> None:
    one = made()
    used = overlaid(ERBA, "one", one)
    assert used.tests["GLCC"].loinc == "14749-6"
    assert used.tests["GLCC"].unit == "mmol/L"
    assert used.tests["ALTT"].name == "ALAT"
    assert "CKK" not in used.tests
    assert "CKK" in used.unreported
    assert used.tests["ALBB"] == ERBA.tests["ALBB"]
    assert used.units["mg pour dL"] == "mg/dL"
    assert used.mapping_version == f"{ERBA.mapping_version}+{one.name}"
    elsewhere = overlaid(ERBA, "two", one)
    assert elsewhere.tests["ALTT"] == ERBA.tests["ALTT"]
    assert (
        replace(
            used, tests=ERBA.tests, units=ERBA.units, unreported=ERBA.unreported, mapping_version=ERBA.mapping_version
        )
        == ERBA
    )


@pytest.mark.parametrize(
    ("mappings", "left"),
    [
        (Mappings(True, (made(),)), {"TBILL", "DBILL", "ALBB", "CRR"}),
        (Mappings(True, (made(),), (), (MappingError("x.toml: broken; mend it"),)), set()),
    ],
)
def test_what_may_not_hold_leaves_its_codes_unknown(mappings: Mappings, left: set[str]) -> None:
    used = mappings.driver(ERBA, "one", AT)
    assert set(used.tests) == left
    assert used.mapping_version.endswith("+none")


def test_what_fell_back_to_the_driver_would_be_noticed() -> None:
    """The variant that breaks it: the shipped driver itself, in which GLCC is another LOINC code."""
    assert ERBA.tests["GLCC"].loinc not in (GLU.loinc, "")
    assert "GLCC" not in Mappings(True, (made(),)).driver(ERBA, "one", AT).tests


def test_without_a_folder_drivers_are_as_they_are_and_the_unknown_sender_always_is() -> None:
    assert Mappings().driver(ERBA, "one", AT) is ERBA
    anybody = Registry.find().named("any-astm")
    one = made()
    assert Mappings(True, (one,), both(one)).driver(anybody, "one", AT) is anybody


def test_the_same_question_gets_the_same_value_until_the_date_comes() -> None:
    one, two = made("1"), made("2", AT + timedelta(days=5))
    mappings = Mappings(True, (one, two), both(one) + both(two))
    first = mappings.driver(ERBA, "one", AT)
    assert mappings.driver(ERBA, "one", AT + timedelta(days=4)) is first
    second = mappings.driver(ERBA, "one", AT + timedelta(days=5))
    assert "@2#" in second.mapping_version
    assert mappings.driver(ERBA, "two", AT) is not first


def test_on_which_tubes_it_is_measured() -> None:
    one = made()
    assert specimens_of(one, "one", "erba-xl", "ALTT") == {"SER"}
    assert specimens_of(one, "one", "erba-xl", "GLCC") == frozenset()
    assert specimens_of(one, "two", "erba-xl", "ALTT") == frozenset()
    assert specimens_of(None, "one", "erba-xl", "ALTT") == frozenset()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["one", "two", ""]),
            st.sampled_from(["erba-xl", "other", ""]),
            st.sampled_from(["ALTT", "X"]),
        ),
        max_size=8,
    )
)
def test_a_code_is_what_its_link_says_else_its_driver_else_nothing(lines: list[tuple[str, str, str]]) -> None:
    given_codes = tuple(Code(code, f"{link}/{driver}", driver, link) for link, driver, code in lines if link or driver)
    found = made(codes=given_codes).codes_of("one", "erba-xl")
    for code, one in found.items():
        assert one.code == code
        assert (one.link, one.driver) in {("one", "erba-xl"), ("one", ""), ("", "erba-xl")}
        if any(c.code == code and c.link == "one" and c.driver in ("", "erba-xl") for c in given_codes):
            assert one.link == "one"


def test_signatures_are_kept_as_they_are_read(tmp_path: Path) -> None:
    file = tmp_path / "signatures.toml"
    assert read_signatures(file) == ()
    one = replace(signed(made(), 'Dr "Petit"\\'), reason="two\tlines")
    file.write_text(as_toml(one))
    assert read_signatures(file) == (one,)
    file.write_text(as_toml(one).replace("biologist", "king"))
    with pytest.raises(MappingError, match="king"):
        read_signatures(file)
    (tmp_path / "folder").mkdir()
    assert why(site.find(str(tmp_path / "folder"), str(file))) == "mapping-broken"
    assert why(site.find(str(tmp_path / "nowhere"), "")) == "mapping-broken"
    assert site.find("", "") == Mappings()


def test_drivers_stay_frozen_values() -> None:
    assert isinstance(overlaid(ERBA, "one", made()), Driver)


def test_the_class_of_a_test_is_that_of_the_version_in_force_and_of_any_where_none_is() -> None:
    """A class only tightens: a catalogue that lost its signature still keeps its tests for a biologist."""
    first = made(analytes={"ALT": replace(ALT, kind="prenatal"), "GLU": GLU})
    second = made("2", AT, analytes={"ALT": ALT, "GLU": replace(GLU, kind="genetics")})
    in_force = Mappings(True, (first, second), (*both(first), *both(second, 1)))
    assert in_force.classes(AT - timedelta(hours=1)) == {"1742-6": "prenatal", "14749-6": "genetics"}
    assert in_force.classes(AT) == {"14749-6": "genetics"}
    assert Mappings(True, (first,), ()).classes(AT) == {"1742-6": "prenatal"}
    assert Mappings().classes(AT) == {}
    twice = made(analytes={"A": replace(ALT, kind="infection"), "ALT": replace(ALT, kind="genetics"), "GLU": GLU})
    assert twice.classes == {"1742-6": "genetics"}, "of two lines about one code the stricter"
