"""Commands that are imported when they are asked for: a ``kopeck verify`` need not wait for the whole of billing."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer._click import Command
from typer.core import TyperGroup
from typer.main import get_command, get_group


class Commands(UserDict[str, Command]):
    """Commands by name, out of a table of places: the module of scripts.cli, a colon, what it calls them."""

    def __init__(self, places: Mapping[str, str]) -> None:
        super().__init__()
        self._places = places
        self.data.update(dict.fromkeys(places))  # type: ignore[arg-type] # the names, for whoever lists them

    def __getitem__(self, name: str) -> Command:
        """The command, imported now. Raises KeyError where there is none of that name."""
        if self.data[name] is None:
            self.data[name] = _load(name, self._places[name])
        return self.data[name]


def lazy(places: Mapping[str, str]) -> type[TyperGroup]:
    """The group of the commands that stand in ``places``."""

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = Commands(places)

    return LazyGroup


def _load(name: str, place: str) -> Command:
    module, _, attribute = place.partition(":")
    found = getattr(import_module(f"scripts.cli.{module}"), attribute)
    if isinstance(found, typer.Typer):
        command: Command = get_group(found)
    else:
        alone = typer.Typer(add_completion=False)
        alone.command(name)(found)
        command = get_command(alone)
    command.name = name
    return command
