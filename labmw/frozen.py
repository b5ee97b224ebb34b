"""How is a value made that a message needs by the dozen? Frozen for whoever writes the code, quick for the interpreter.

The interpreter makes a frozen dataclass field by field through `object.__setattr__`, which takes half as long again as an open one; a result as
read has 37 fields. So mypy is told that these are frozen, refuses what would change one, and the interpreter is given the open kind.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, fields
from functools import cache
from operator import attrgetter
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """A dataclass with slots, compared and hashed by its fields; `dataclasses.replace` or `changed` makes changed ones."""
    return dataclass(slots=True, unsafe_hash=True)(cls)


def changed(one: T, **given: object) -> T:
    """A copy of a `value` with these fields changed: `dataclasses.replace` in a third of the time, for values with dozens of fields.

    Raises AttributeError for a field that there is not.
    """
    kind = type(one)
    copy: T = kind(*_all_of(kind)(one))  # type: ignore[arg-type]  # a class is hashable
    for name, content in given.items():
        setattr(copy, name, content)
    return copy


@cache
def _all_of(kind: Hashable) -> attrgetter[tuple[object, ...]]:
    """What reads every field of a kind of value, in the order in which it is made of them."""
    return attrgetter(*[field.name for field in fields(kind)])  # type: ignore[arg-type]
