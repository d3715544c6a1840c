"""SHOW, DESCRIBE and EXPLAIN: read from the words sqlglot keeps as text, written over information_schema."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from phlo.engine.dialect.nodes import Explain, Show, fragment, refuse
from phlo.engine.dialect.rules import Translate, rule

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME = r'(?:"[^"]+"|\w+)'
_SHOW = re.compile(
    rf"\s*(?P<what>SCHEMAS|TABLES|COLUMNS)(?:\s+(?:FROM|IN)\s+(?P<target>{_NAME}(?:\.{_NAME}){{0,2}}))?"
    r"(?:\s+LIKE\s+'(?P<like>(?:[^']|'')*)')?\s*$",
    re.IGNORECASE,
)
_COLUMNS = (
    'SELECT column_name AS "Column", phlo_type_name(data_type) AS "Type", \'\' AS "Extra", \'\' AS "Comment" '
    "FROM information_schema.columns WHERE table_schema = {0} AND table_name = {1} ORDER BY ordinal_position"
)


def read_command(command: exp.Command, parse: Callable[[str], exp.Expression]) -> exp.Expression:
    """Read SHOW and EXPLAIN; other commands stay as they are, for the guard to refuse."""
    word, rest = str(command.this).upper(), str(command.expression.name if command.expression else "")
    if word == "EXPLAIN":
        return Explain(this=parse(rest)) if rest.strip() else command
    match = _SHOW.match(rest) if word == "SHOW" else None
    if match is None:
        return command
    parts = [part.strip('"') for part in re.findall(_NAME, match["target"] or "")]
    like = (match["like"] or "").replace("''", "'") or None
    return Show(
        this=match["what"].upper(), target=exp.Tuple(expressions=[exp.Literal.string(p) for p in parts]), like=like
    )


def shown_table(show: Show) -> str | None:
    """Return the table whose columns SHOW COLUMNS lists.

    >>> from phlo.engine.dialect.reader import parse
    >>> shown_table(parse("SHOW COLUMNS FROM raw.entries"))
    'raw.entries'
    """
    parts = [str(part.this) for part in show.args["target"].expressions]
    return ".".join(parts[-2:]).lower() if show.this == "COLUMNS" and len(parts) > 1 else None


@rule(Explain)
def _explain(node: exp.Expression, t: Translate) -> exp.Expression:
    return fragment("EXPLAIN {0}", t(node.this))


@rule(Show)
def _show(node: exp.Expression, t: Translate) -> exp.Expression:
    parts = [exp.Literal.string(str(part.this)) for part in node.args["target"].expressions]
    like = exp.Literal.string(node.args.get("like") or "%")
    if node.this == "COLUMNS":
        if len(parts) < 2:
            refuse(node, "SHOW COLUMNS", "name the table as namespace.name")
        return fragment(_COLUMNS, parts[-2], parts[-1])
    if node.this == "SCHEMAS":
        template = 'SELECT DISTINCT table_schema AS "Schema" FROM information_schema.tables WHERE table_schema LIKE {0} ORDER BY 1'
        return fragment(template, like)
    if not parts:
        refuse(node, "SHOW TABLES", "name the schema: SHOW TABLES FROM raw")
    template = 'SELECT table_name AS "Table" FROM information_schema.tables WHERE table_schema = {0} AND table_name LIKE {1} ORDER BY 1'
    return fragment(template, parts[-1], like)


@rule(exp.Describe)
def _describe(node: exp.Expression, t: Translate) -> exp.Expression:
    table = node.this
    if not isinstance(table, exp.Table) or not table.db:
        refuse(node, "DESCRIBE", "name the table as namespace.name")
    return fragment(_COLUMNS, exp.Literal.string(table.db), exp.Literal.string(table.name))
