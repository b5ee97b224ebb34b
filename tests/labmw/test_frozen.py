"""A changed copy of a value is what `dataclasses.replace` makes of it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from readings import result

from labmw.frozen import changed


@given(st.dictionaries(st.sampled_from(["value", "run", "time", "specimen"]), st.text(max_size=3)))
def test_a_changed_copy_is_what_replace_makes(fields: dict[str, str]) -> None:
    one = result()
    before = replace(one)
    assert changed(one, **fields) == replace(one, **fields)  # type: ignore[arg-type]
    assert one == before


def test_a_field_that_there_is_not() -> None:
    with pytest.raises(AttributeError):
        changed(result(), nothing=1)
