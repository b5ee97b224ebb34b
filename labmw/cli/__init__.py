"""The commands, one file per noun; each is imported only when it is asked for, so that `labmw --help` answers at once."""

from __future__ import annotations

import importlib
from typing import Any

import click
import typer
import typer.core
import typer.main
