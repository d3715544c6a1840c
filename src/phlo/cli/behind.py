"""What commands say of models that do not have yet what was loaded: which, and what makes them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from phlo.cli.render import plural

if TYPE_CHECKING:
    from collections.abc import Collection

    from phlo.profiles import Lake
    from phlo.protocols import Publish


def tell_behind(lake: Lake, tables: Collection[str]) -> None:
    """Say which models are behind some tables, and the command that makes them again without loading anything."""
    from phlo.transform.behind import ALL, catch_up, has_unread_models, models_behind

    found = {name: since for name, since in models_behind(lake).items() if {each.table for each in since} & {*tables}}
    if found:
        of = sorted({each.table for since in found.values() for each in since} & {*tables})
        models = f"{plural(len(found), 'model')} {'is' if len(found) == 1 else 'are'} behind {', '.join(of)}"
        again = "makes it again" if len(found) == 1 else "makes them again"
        click.echo(f"{models}: `{catch_up(lake, found)}` {again}, and loads nothing.")
    elif tables and has_unread_models(lake):
        click.echo(f"No model was made: `{ALL}` makes them all, and loads nothing.")


def changed_by(*publishes: Publish | None) -> set[str]:
    """The tables and views that some publishes changed."""
    return {change.name for publish in publishes if publish for change in publish.changes}
