"""``phlo alerts``: the rules of .phlo/alerting/config.yaml, what they say now, and whether it gets through."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from phlo.cli.render import current_lake, current_project, dump, plural, say, table

if TYPE_CHECKING:
    from phlo.alerting.config import Alerting
    from phlo.alerting.outbox import Outbox
    from phlo.project import Project


@click.group()
def alerts() -> None:
    """List, test and check the rules in .phlo/alerting/config.yaml."""


@alerts.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
def list_rules(as_json: bool) -> None:
    """List rules, what of them holds, destinations, and what waits to be told."""
    project = current_project()
    config, outbox = _read(project)
    firing = {row["rule"]: row for row in outbox.firing()}
    waiting = outbox.waiting()
    if as_json:
        rules = [
            {"name": r.name, "on": r.on, "severity": r.severity, "firing": firing.get(r.name)} for r in config.rules
        ]
        places = [{"name": d.name, "type": d.type, "missing": list(d.missing)} for d in config.destinations]
        click.echo(dump({"rules": rules, "destinations": places, "waiting": waiting}))
        return
    if not config.rules:
        say("There are no rules; they are written in .phlo/alerting/config.yaml.")
        return
    rows = [
        (r.name, r.on, r.severity, f"since {firing[r.name]['since']}" if r.name in firing else "ok", ", ".join(r.to))
        for r in config.rules
    ]
    click.echo(table(rows, ["rule", "on", "severity", "state", "to (empty: all)"]))
    click.echo()
    lines = [
        (d.name, d.type, f"{', '.join(d.missing)} is not set" if d.missing else "ready",
         sum(each.destination == d.name for each in waiting),
         next((each.error for each in waiting if each.destination == d.name and each.error), ""))
        for d in config.destinations
    ]  # fmt: skip
    click.echo(table(lines, ["destination", "type", "state", "waiting", "last error"]))


@alerts.command()
@click.argument("destination", required=False)
def test(destination: str | None) -> None:
    """Send a test message to one destination, or to all; exit 1 if one was not told."""
    from phlo.alerting.outbox import Message
    from phlo.alerting.send import send
    from phlo.errors import AlertNotSent, nearest

    project = current_project()
    config, _ = _read(project)
    names = [each.name for each in config.destinations]
    if destination is not None and destination not in names:
        raise click.UsageError(f"There is no destination `{destination}`{nearest(destination, names)}")
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    message = Message("test", "test", "test", "info", "this is a test of Phlo's alerts", now, now, project.name)
    failed = False
    for each in config.destinations:
        if destination in (None, each.name):
            try:
                send(each, message, timeout=10, say=click.echo)
                click.echo(f"✓ {each.name}: told")
            except AlertNotSent as error:
                failed = True
                click.echo(f"✗ {each.name}: {error.values['detail']}")
    if not config.destinations:
        say("There are no destinations; they are written in .phlo/alerting/config.yaml.")
    click.get_current_context().exit(1 if failed else 0)


@alerts.command()
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
def check(as_json: bool) -> None:
    """Evaluate every rule now, and tell what began and what is over; exit 1 while something holds."""
    from phlo.alerting import check as look

    done = look(current_lake(), say)
    if as_json:
        click.echo(dump(done))
    else:
        for problem in done.firing:
            click.echo(f"✗ {problem.rule} [{problem.severity}]: {problem.message}")
        for message in done.over:
            click.echo(f"✓ {message.rule} is over: {message.message}")
        if not done.firing:
            click.echo("✓ no rule has anything to say")
    for rule, reason in done.not_evaluated.items():
        say(f"warning: {rule} could not be evaluated: {reason}")
    for name in sorted({each.destination for each in done.waiting}):
        here = [each for each in done.waiting if each.destination == name]
        say(f"warning: {plural(len(here), 'message')} to {name} waiting: {here[0].error or 'it is being told'}")
    click.get_current_context().exit(1 if done.firing else 0)


def _read(project: Project) -> tuple[Alerting, Outbox]:
    from phlo.alerting.config import read_config
    from phlo.alerting.outbox import Outbox

    return read_config(project.root), Outbox(project.state, project.name)
