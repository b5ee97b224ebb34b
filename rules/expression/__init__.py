"""What may stand in `when = "..."` of a rule? A closed language: read into one tree, which three readers understand alike.

`compiled` makes a Python function for one result, `columns` makes Polars expressions for a year of them, `walk` shows every comparison
to a person. `tests/rules/expression` proves that they agree.
"""

from rules.expression.read import ExpressionError, Vocabulary, read
from rules.expression.tree import Truth
from rules.expression.unit import Unit, unit

__all__ = ["ExpressionError", "Truth", "Unit", "Vocabulary", "read", "unit"]
