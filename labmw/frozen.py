"""How is a value made that a message needs by the dozen? Frozen for whoever writes the code, quick for the interpreter.

The interpreter makes a frozen dataclass field by field through `object.__setattr__`, which takes half as long again as an open one; a result as
read has 37 fields. So mypy is told that these are frozen, refuses what would change one, and the interpreter is given the open kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def value(cls: type[T]) -> type[T]:
    """A dataclass with slots, compared and hashed by its fields; `dataclasses.replace` makes changed ones."""
    return dataclass(slots=True, unsafe_hash=True)(cls)
