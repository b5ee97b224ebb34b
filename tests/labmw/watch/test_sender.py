"""Where a header names nobody: are the drivers named that know the test codes, and only these?"""

from __future__ import annotations

from labmw.line.registry import Registry
from labmw.watch.sender import knowers

REGISTRY = Registry.find([])


def test_the_drivers_that_know_most_of_the_codes_are_candidates() -> None:
    [found] = knowers(REGISTRY, {"GLCC", "ALTT", "CREE", "NEW"})
    assert (found.facts["drivers"], found.facts["codes"]) == ("erba-xl", 4)
    assert "erba-xl" in found.sentence("en") and "erba-xl" in found.sentence("fr")


def test_what_few_know_names_nobody() -> None:
    assert knowers(REGISTRY, {"NEVER-SEEN"}) == []
    assert knowers(REGISTRY, {"GLCC", "a", "b", "c"}) == []  # one of four is chance
    assert knowers(REGISTRY, set()) == []
