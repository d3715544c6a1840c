"""``.phlo/alerting/config.yaml``: rules and destinations, with secrets from the environment alone."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from phlo.errors import InvalidAlerting, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE = Path(".phlo", "alerting", "config.yaml")

VARIABLE = re.compile(r"\$\{(\w+)\}")

DESTINATIONS: dict[str, tuple[set[str], set[str]]] = {
    "slack": ({"webhook"}, {"channel"}),
    "webhook": ({"url"}, {"headers"}),
    "email": ({"to"}, {"host", "port", "from", "user", "password", "starttls"}),
    "console": (set(), set()),
}
"""What each type needs and what it may have."""

RULES: dict[str, tuple[set[str], set[str]]] = {
    "check_failed": (set(), {"table", "blocking_only"}),
    "run_failed": (set(), {"table"}),
    "freshness": ({"table", "older_than_hours"}, set()),
    "rejected": ({"share"}, {"table"}),
    "query": ({"sql"}, set()),
}
SEVERITIES = ("info", "warning", "error")


@dataclass(frozen=True)
class Destination:
    """Where alerts go."""

    name: str
    type: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    missing: tuple[str, ...] = ()
    """Variables that the environment does not set: nothing is sent there until it does."""


@dataclass(frozen=True)
class Rule:
    """What is worth an alert."""

    name: str
    on: str
    severity: str = "error"
    description: str = ""
    to: tuple[str, ...] = ()
    """Destinations; none means all."""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Alerting:
    """The whole file."""

    destinations: tuple[Destination, ...] = ()
    rules: tuple[Rule, ...] = ()


def read_config(root: Path) -> Alerting:
    """Read the project's rules; none without the file. Raise ``InvalidAlerting`` for what is wrong in it."""
    file = root / FILE
    if not file.is_file():
        return Alerting()
    import yaml
    from dotenv import dotenv_values

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        _wrong(file.name, " ".join(str(error).split()))
    if not isinstance(content, dict):
        _wrong(file.name, "it has no `destinations` and `rules`")
    _known("the file", content, {"destinations", "rules"})
    values = {**{k: v for k, v in dotenv_values(root / ".env").items() if v is not None}, **os.environ}
    destinations = tuple(_destination(each, values) for each in _list(content, "destinations"))
    names = [each.name for each in destinations]
    rules = tuple(_rule(each, names) for each in _list(content, "rules"))
    for kind, all_names in (("destinations", names), ("rules", [rule.name for rule in rules])):
        if twice := sorted({name for name in all_names if all_names.count(name) > 1}):
            _wrong(kind, f"`{twice[0]}` is there twice")
    return Alerting(destinations, rules)


def _destination(given: Any, values: Mapping[str, str]) -> Destination:
    name, kind = _name("destination", given), given.get("type")
    needed, possible = _choose(f"destination `{name}`", "type", kind, DESTINATIONS)
    _known(f"destination `{name}`", given, {"name", "type", *needed, *possible}, needed)
    options = {key: value for key, value in given.items() if key not in ("name", "type")}
    missing: set[str] = set()
    filled = {key: _filled(value, values, missing if key != "channel" else set()) for key, value in options.items()}
    return Destination(name, str(kind), filled, tuple(sorted(missing)))


def _rule(given: Any, destinations: list[str]) -> Rule:
    name = _name("rule", given)
    given = {"on" if key is True else key: value for key, value in given.items()}  # YAML takes `on` for a truth value
    where, kind = f"rule `{name}`", given.get("on")
    needed, possible = _choose(where, "on", kind, RULES)
    common = {"name", "on", "severity", "description", "to"}
    _known(where, given, {*common, *needed, *possible}, needed)
    severity = given.get("severity", "error")
    _choose(where, "severity", severity, dict.fromkeys(SEVERITIES, None))
    to = given.get("to", [])
    told = tuple([to] if isinstance(to, str) else to)
    for each in told:
        if each not in destinations:
            _wrong(where, f"there is no destination `{each}`{nearest(str(each), destinations)}")
    for key in ("older_than_hours", "share"):
        if key in given and (isinstance(given[key], bool) or not isinstance(given[key], (int, float))):
            _wrong(where, f"{key} = `{given[key]}` is no number")
    options = {key: value for key, value in given.items() if key not in common}
    return Rule(name, str(kind), severity, str(given.get("description", "")), told, options)


def _filled(value: Any, values: Mapping[str, str], missing: set[str]) -> Any:
    """Put the environment's values in; note those that it does not have."""
    if isinstance(value, dict):
        return {key: _filled(each, values, missing) for key, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, values, missing) for each in value]
    if not isinstance(value, str):
        return value
    missing |= {name for name in VARIABLE.findall(value) if not values.get(name)}
    return VARIABLE.sub(lambda found: values.get(found[1]) or "", value)


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    found = content.get(key) or []
    return found if isinstance(found, list) else _wrong(key, "it is no list")


def _name(what: str, given: Any) -> str:
    if not isinstance(given, dict) or not given.get("name"):
        _wrong(what, f"`{given}` has no name")
    return str(given["name"])


def _choose(where: str, key: str, value: object, known: Mapping[str, Any]) -> Any:
    if value not in known:
        _wrong(where, f"{key}: `{value}` is none of {', '.join(known)}{nearest(str(value), known)}")
    return known[str(value)]


def _known(where: str, given: Mapping[str, Any], known: set[str], needed: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    for key in given:
        if key not in known:
            _wrong(where, f"it has no `{key}`{nearest(str(key), known)}")
    for key in sorted(needed - given.keys()):
        _wrong(where, f"`{key}` is missing")


def _wrong(where: str, detail: str) -> NoReturn:
    raise InvalidAlerting(where=where, detail=detail, file=FILE)
