"""How is an identifier given that begins with a dash? As it stands on the tube: it is no option unless the command has one of that letter."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

MARK = "\ue000"
"""Stands before such an identifier while options are taken out; a private-use character, which no barcode can hold."""


def taking_dashed(command: Any) -> Any:
    """Let a command, and every command below it, take identifiers that begin with a dash where it wants an argument."""
    if isinstance(command, TyperGroup):
        for one in command.commands.values():
            taking_dashed(one)
    elif isinstance(command, TyperCommand) and any(one.param_type_name == "argument" for one in command.params):
        command.parse_args = _parsing(command)  # type: ignore[method-assign]
    return command


def _parsing(command: TyperCommand) -> Any:
    plain = command.parse_args
    letters = {name[1] for one in command.params for name in one.opts if len(name) == 2 and name[0] == "-"}

    def parse_args(ctx: Any, args: list[str]) -> list[str]:
        try:
            rest = plain(ctx, [MARK + one if _dashed(one, letters) else one for one in args])
        except Exception as error:
            _mend(error)
            raise
        for name, value in ctx.params.items():
            ctx.params[name] = _plain(value)
        return [_plain(one) for one in rest]

    return parse_args


def _dashed(word: str, letters: set[str]) -> bool:
    return len(word) > 1 and word[0] == "-" and word[1] != "-" and word[1] not in letters


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(MARK):  # not a choice, which is a str of its own type
        return value.removeprefix(MARK)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _mend(error: Exception) -> None:
    """Take the mark out of what a wrong usage says, and where a word was taken for an option, say how it is not."""
    if isinstance(message := getattr(error, "message", None), str):
        remedy = "; if it is an identifier, write -- before it" if hasattr(error, "option_name") else ""
        error.message = message.replace(MARK, "").rstrip(".") + remedy  # type: ignore[attr-defined]
