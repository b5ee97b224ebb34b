"""How does a pack build on another? Network, site, ward: each layer says what it adds and what it overrides, and why; the rest is its parent's.

A layer names its parent by `extends`, a folder beside its own. It may add analytes, sources, rules and limit rows; a limit row with the key of a
parent's row takes its place; a rule of a parent changes only by an [[override]] with its reason in both languages, everywhere or in some wards.
What comes out is one pack, read and checked like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rules.message import Message, read_message
from rules.strict import Table, nearest

DEEPEST = 5  # layers; network, site and ward are three
Page = tuple[dict[str, Any], str]  # the data of one page of TOML, and its text


@dataclass(frozen=True, slots=True)
class Override:
    """One rule of a parent that a layer changes, removes, or changes in some wards only."""

    rule: str
    layer: str  # id@version of the pack that overrides
    parent: str
    what: str  # "removed", or the keys that are different
    wards: tuple[str, ...]
    reason: Message


@dataclass(frozen=True, slots=True)
class Layer:
    """One page of the chain, as it is written."""

    path: Path
    data: Mapping[str, Any]
    text: str

    @property
    def name(self) -> str:
        """id@version, as far as the page says."""
        head = self.data.get("pack")
        head = head if isinstance(head, Mapping) else {}
        return f"{head.get('id', '?')}@{head.get('version', '?')}"

    @property
    def head(self) -> Table:
        """Its [pack], for an error that names the line."""
        return Table(str(self.path), "", dict(self.data), self.text).table("pack", "begin with [pack]")


def chain(path: Path, read: Callable[[Path], Page], file: str) -> tuple[Layer, ...]:
    """Return the layers of a pack, the network's first; raises PackError for a parent that is missing, too deep, or itself."""
    found: list[Layer] = []
    seen: list[Path] = []
    at: Path | None = path
    while at is not None:
        data, text = read(at)
        found.append(Layer(at, data, text))
        seen.append(at.resolve())
        head = data.get("pack")
        if not isinstance(head, Mapping) or "extends" not in head:
            break
        layer = found[-1]
        named = layer.head.text("extends", "name the parent's folder, relative to this one")
        at = (layer.path.parent / named / file).resolve()
        if at in seen:
            names = " -> ".join(place.parent.name for place in [*seen[seen.index(at) :], at])
            raise layer.head.refuse("extends", f"comes back to itself: {names}", "let one of them stand on its own")
        if not at.is_file():
            raise layer.head.refuse(
                "extends", f"{named!r} has no {file}", "name the parent's folder, relative to this one"
            )
        if len(found) >= DEEPEST:
            raise layer.head.refuse(
                "extends", f"is a chain of more than {DEEPEST} packs", "let fewer build on each other"
            )
    return tuple(reversed(found))


def merged(layers: Sequence[Layer]) -> tuple[dict[str, Any], tuple[Override, ...]]:
    """Return the page that the layers make together, and every override in it, the network's first."""
    data: dict[str, Any] = dict(layers[0].data)
    overrides: list[Override] = []
    for parent, layer in pairwise(layers):
        table = Table(str(layer.path), "", dict(layer.data), layer.text)
        data, found = _over(data, table, layer, parent.name)
        overrides += found
    data["pack"] = {key: value for key, value in data["pack"].items() if key != "extends"}
    return data, tuple(overrides)


def _over(data: Mapping[str, Any], table: Table, layer: Layer, parent: str) -> tuple[dict[str, Any], list[Override]]:
    mine = layer.data
    head = {**{key: data["pack"][key] for key in ("title", "authors") if key in data.get("pack", {})}, **mine["pack"]}
    analytes = dict(data.get("analytes", {}))
    for alias, one in _mapping(mine, "analytes").items():
        if alias in analytes:
            raise table.refuse(
                f"analytes.{alias}", "is the parent's", "declare only new ones; the parent's are here already"
            )
        analytes[alias] = one
    rules = [dict(rule) for rule in data.get("rule", [])]
    found: list[Override] = []
    for one in table.tables("override", "write each as [[override]]"):
        override = _override(one, rules, layer.name, parent)
        found.append(override)
    more = mine.get("rule", [])
    rules += [dict(rule) if isinstance(rule, Mapping) else rule for rule in more] if isinstance(more, list) else []
    sources = {**_mapping(data, "sources"), **_mapping(mine, "sources")}
    rest = {key: value for key, value in mine.items() if key not in ("pack", "analytes", "rule", "override", "sources")}
    return {**rest, "pack": head, "sources": sources, "analytes": analytes, "rule": rules}, found


def _mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = data.get(key, {})
    return found if isinstance(found, Mapping) else {}


def _override(one: Table, rules: list[dict[str, Any]], layer: str, parent: str) -> Override:
    """Carry out one [[override]] on the parent's rules."""
    name = one.text("rule", "name the parent's rule")
    place = next((place for place, rule in enumerate(rules) if rule.get("id") == name), None)
    if place is None:
        raise one.refuse(
            "rule", f"{name!r} is no rule of the parent", nearest(name, [str(rule.get("id")) for rule in rules])
        )
    reason = read_message(one, "reason", frozenset())
    wards = one.texts("wards", "list the wards where it differs")
    remove = one.take("remove", "write remove = true") if one.has("remove") else False
    changes = one.take("with", "write with = { ... }") if one.has("with") else {}
    tests = one.take("test", "write each as [[override.test]]") if one.has("test") else None
    one.done()
    if remove is not True and not changes:
        raise one.refuse(
            "with", "changes nothing", "write with = { verdict = ... } with what differs, or remove = true"
        )
    if remove is True and (changes or tests):
        raise one.refuse("remove", "stands beside changes", "remove the rule, or change it")
    if not isinstance(changes, Mapping) or "id" in changes or "test" in changes:
        raise one.refuse("with", "is not a table of a rule's keys", "leave id out; examples are [[override.test]]")
    old = rules[place]
    new = {**old, **changes}
    if tests is not None:
        new["test"] = tests
    if wards:
        told = {"en": reason["en"], "fr": reason["fr"]}
        rules[place] = {**old, "exempt": [*old.get("exempt", []), {"wards": list(wards), "reason": told}]}
        if remove is not True:
            kept = {
                key: value
                for key, value in new.items()
                if key not in ("exempt",) and (key != "test" or tests is not None)
            }
            rules.insert(place + 1, {**kept, "id": f"{name}.{'-'.join(wards)}"[:64], "wards": list(wards)})
    elif remove is True:
        del rules[place]
    else:
        rules[place] = new
    what = "removed" if remove is True else ", ".join(sorted(changes))
    return Override(name, layer, parent, what, wards, reason)
