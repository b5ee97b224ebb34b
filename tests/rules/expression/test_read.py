"""Is the language closed? What may be written becomes a tree, everything else is refused with column and remedy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.expression import ExpressionError, Vocabulary, read, unit
from rules.expression.tree import Name, Truth, numbers, renamed

KNOWN = Vocabulary(
    {
        "value": unit("mmol/L"), "K": unit("mmol/L"), "CA": unit("mmol/L"), "NA": unit("mmol/L"), "ALB": unit("g/L"), "HB": unit("g/dL"), "HCT": unit("%"),
        "RBC": unit("10*12/L"), "MCV": unit("fL"), "hours": unit("h"), "age": unit("a"),
    },
    {"sex": frozenset({"F", "M"}), "ward": frozenset()},
    frozenset({"clot", "high"}),
)  # fmt: skip


def tree(text: str) -> Truth:
    return read(text, KNOWN)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("value > 6 and CA < 1.9", "value > 6 and CA < 1.9"), ("not (value > 6)", "not (value > 6)"),
        ('sex == "F" or ward in ("DIAL", "ICU")', 'sex == "F" or ward in ("DIAL", "ICU")'), ('sex != "F"', 'not (sex == "F")'),
        ('"clot" in flags', '"clot" in flags'), ('"clot" not in flags', 'not ("clot" in flags)'), ('ward not in ["A"]', 'not (ward == "A")'),
        ("is_missing(CA) or is_missing(ward) or is_missing(K - CA)", "is_missing(CA) or is_missing(ward) or is_missing(K - CA)"),
        ("abs(value - K) / K * 100 > +20", "abs(value - K) / K * 100 > 20"), ("max(K, CA, 2) >= -3", "max(K, CA, 2) >= -3"),
        ("round(K, 1) == round(CA)", "round(K, 1) == round(CA)"), ('as_unit(10 * HCT / RBC, "fL") > MCV', "10 * HCT / RBC > MCV"),
        ("2 * NA - (K + CA) != -K", "2 * NA - (K + CA) != -K"), ("3 < K", "3 < K"), ("HB > 14\nor ALB > 50", "HB > 14 or ALB > 50"),
    ],
)  # fmt: skip
def test_what_may_be_written(text: str, shown: str) -> None:
    assert str(tree(text)) == shown
    assert "fL" in text or tree(shown) == tree(text), "what is shown can be read again"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("value > kalium", "'kalium' is not a known word"), ("valeu > 6", "did you mean 'value'"), ("K > ALB", "compares K in mmol/L with ALB in g/L"),
        ("HB + ALB > 3", "adds HB in g/dL with ALB in g/L"), ("K - ALB > 3", "subtracts"), ("min(K, ALB) > 1", "compares"), ("K * K > CA", "in mmol/L"),
        ("value", "is a value where a condition belongs"), ("value + 1", "where a condition belongs"), ("-value", "where a condition belongs"), ("True", "where a condition belongs"),
        ("1 < value < 2", "in a chain"), ("2 > 1", "written here"), ("value = 6", "is not an expression"), ("value > ", "is not an expression"), ("", "is not an expression"),
        ("value > 6 && K > 1", "is not an expression"), ("value > 1e999", "no number that a laboratory measures"), ("value > " + "9" * 400, "no number"),
        ("value > '6'", "is not a number"), ("value > True", "is not a number"), ("(value > 6) + 1 > 2", "is a condition where a number belongs"),
        ("flags > 1", "flags are no number"), ("sex > 3", "is a word"), ("K > sex", "is a word, not a number"), ('sex == "X"', "is never 'X'"), ("sex == 3", "is not a word in quotes"),
        ('"clott" in flags', "did you mean 'clot'"), ("3 in flags", "is not the name of a flag"), ("K in (1, 2)", "is not a word that can be one of"), ("ward in K", "is not a list of words"),
        ("ward in ()", "is not a list of words"), ("abs(K, CA) > 1", "in another way"), ("round(K, 9) > 1", "in another way"), ("round(K, CA) > 1", "in another way"),
        ('as_unit(K, "furlong") > 1', "is not a unit"), ("as_unit(K) > 1", "in another way"), ("is_missing(K) > 1", "is a condition where a number"), ("is_missing(K, CA)", "calls something"),
        ("sum(K) > 1", "is not a function of this language"), ("__import__('os').system('x')", "calls something"), ("value.real > 1", "by a dot"), ("value[0] > 1", "by brackets"),
        ("(lambda: 1) == value", "is a function"), ("(value if K > 1 else CA) > 1", "is an if-else"), ("(x := value) > 1", "assigns"), ("[1 for x in K] > value", "is a loop"),
        ("value ** 2 > 1", "is something"), ("value % 2 > 1", "is something"), ("value // 2 > 1", "is something"), ("value is 3", "is something"), ("~K > 1", "is something"),
        ("f'{value}' == 1", "is a formatted text"), ("value > 6 and (K)", "where a condition belongs"), ("abs(x=K) > 1", "calls something"), ("K.__class__ > 1", "by a dot"), ("print(K)", "calls something"),
        ("\0", "is not an expression"), ("(" * 300 + "K" + ")" * 300 + " > 1", "has"), ("(" * 230 + "K" + ")" * 230 + " > 1", "is not an expression"),
        ("value > 6 or " * 60 + "K > 1", "characters"), ("-" * 20 + "K > 1", "nested"), ("{1} == value", "is something"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match="; ") as error:
        tree(text)
    assert problem in str(error.value)
    assert error.value.column >= 1
    assert error.value.remedy


def test_the_column_is_where_the_mistake_is() -> None:
    with pytest.raises(ExpressionError) as error:
        tree("value > 6 and kalium < 2")
    assert error.value.column == 15


@given(st.text(max_size=60) | st.text(alphabet="KCA <>=()+-*/.,'\"0123andorti_msg[]{}\n", max_size=80))
def test_any_text_is_read_or_refused_and_never_run(text: str) -> None:
    try:
        tree(text)
    except ExpressionError:
        return


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10*3/uL", "10*9/L", True), ("G/L", "10*9/L", True), ("um3", "fL", True), ("g/dL", "g/L", False), ("mg/dL", "g/L", False), ("umol/L", "mmol/L", False),
        ("mmol/L", "mmol/L", True), ("u[IU]/mL", "m[IU]/L", True), ("mg/L", "ug/mL", True), ("mm[Hg]", "mm[Hg]", True), ("%", "1", False), ("h", "d", False), ("min", "m", False),
        ("{copies}/mL", "{Log_copies}/mL", False), ("{copies}/mL", "{copies}/mL", True), ("10*-1.{copies}/mL", "{copies}/mL", False), ("mosm/kg", "mmol/kg", False), ("/uL", "10*6/L", True),
        ("cm", "mm", False), ("meq/L", "mmol/L", False), ("L/L", "1", True), ("daL", "L", False), ("{INR}", "1", False),
    ],
)  # fmt: skip
def test_units(one: str, other: str, same: bool) -> None:
    assert unit(one).same(unit(other)) is same


def test_units_of_products() -> None:
    volume = unit("%").times(unit("10*12/L"), -1)
    assert not volume.same(unit("fL"))
    assert unit("g/L").times(unit("L")).same(unit("g"))
    assert unit("mmol/L").times(unit("mmol/L"), -1).same(unit("1"))


def test_names_can_be_replaced_everywhere() -> None:
    text = 'not (abs(-K) / CA > 2) and (is_missing(K + CA) or min(K, 3) < CA) and is_missing(ward) and "clot" in flags and sex == "F"'
    made = renamed(tree(text), {"K": Name("X"), "CA": Name("Y")})
    assert numbers(made) == ("X", "Y")
    assert str(made) == str(tree(text)).replace("K", "X").replace("CA", "Y")
