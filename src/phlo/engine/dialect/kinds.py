"""What can be told of an expression's type from a statement and the tables it reads: enough to keep its SQL short.

Where this says nothing, DuckDB decides when it binds the statement (see ``calls``).
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple

from sqlglot import exp
from sqlglot.expressions import DType

from phlo.engine.dialect.json_grammar import SqlJson
from phlo.engine.dialect.reader import read_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.engine.dialect.nodes import Node


MICROSECONDS = 6  # the digits of a second that an Iceberg timestamp has
DEEPEST = 20  # how far a column is followed; a recursive query has no end
MONTHS = 12  # in the place of digits: an interval of years and months


class Kind(NamedTuple):
    """A family of types, and for times the digits of their seconds."""

    name: str = ""
    digits: int = MICROSECONDS


Columns = tuple[tuple[str, Kind], ...]
Tables = tuple[tuple[str, Columns | str], ...]
"""What the catalog's tables hold, by name in lower case: a table's columns, or the SELECT of a view."""

_TABLES: ContextVar[dict[str, Columns | str] | None] = ContextVar("tables", default=None)


@contextmanager
def knowing(tables: Tables) -> Iterator[None]:
    """Tell the kinds of the columns of these tables too, for as long as this lasts."""
    token = _TABLES.set(dict(tables))
    try:
        yield
    finally:
        _TABLES.reset(token)


_TYPES = {
    **dict.fromkeys((DType.TINYINT, DType.SMALLINT, DType.INT, DType.BIGINT), "integer"),
    DType.DECIMAL: "decimal",
    DType.FLOAT: "real",
    DType.DOUBLE: "double",
    DType.VARCHAR: "varchar",
    DType.TEXT: "varchar",
    DType.BOOLEAN: "boolean",
    DType.DATE: "date",
    DType.TIME: "time",
    DType.TIMESTAMP: "timestamp",
    DType.TIMESTAMPTZ: "timestamptz",
    DType.ARRAY: "array",
    DType.MAP: "map",
    DType.JSON: "json",
    DType.CHAR: "char",
    DType.IPADDRESS: "ipaddress",
    DType.UUID: "uuid",
    DType.VARBINARY: "varbinary",
    DType.STRUCT: "row",
}
_NAMES = {
    "integer": """approx_distinct cardinality codepoint count count_if date_diff day day_of_week day_of_year dense_rank
        hour length minute month ntile quarter rank row_number second strpos to_milliseconds week year""",
    "double": """cbrt cos cume_dist e exp geometric_mean infinity ln log log10 log2 nan percent_rank pi pow power rand
        random sin sqrt stddev stddev_pop stddev_samp tan to_unixtime var_pop var_samp variance""",
    "varchar": """array_join date_format format format_datetime json_extract_scalar json_format listagg lower lpad ltrim
        regexp_extract regexp_replace replace rpad rtrim split_part substr substring to_hex to_iso8601 trim upper""",
    "date": "date from_iso8601_date last_day_of_month",
    "timestamp": "date_parse",
    "timestamptz": "from_iso8601_timestamp from_unixtime now parse_datetime",
    "array": """array_agg array_distinct array_sort filter flatten map_entries map_keys map_values regexp_split sequence
        slice split transform zip""",
    "map": """histogram map map_agg map_concat map_filter map_from_entries multimap_agg split_to_map transform_keys
        transform_values""",
    "json": "json_extract json_parse",
}
_CALLS = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_SAME_AS_FIRST = frozenset(
    {"abs", "any_value", "arbitrary", "first_value", "last_value", "max", "min", "nullif", "try"}
)
_MERGED = frozenset({"coalesce", "greatest", "lag", "lead", "least"})
_NUMBERS = frozenset({"integer", "decimal", "double", "real"})
_AROUND = (exp.Paren, exp.Neg, exp.Alias, exp.Filter, exp.Window, exp.IgnoreNulls, exp.RespectNulls, exp.Order)


def kind_of(node: Node | None, depth: int = 0) -> Kind:
    """Tell the kind of an expression as it was written; an empty name where the statement does not say.

    >>> from phlo.engine.dialect.reader import parse
    >>> kind_of(parse("SELECT CAST(x AS timestamp)").selects[0])
    Kind(name='timestamp', digits=3)
    """
    if node is None or depth > DEEPEST:
        return Kind()
    if isinstance(
        node, exp.Paren | exp.Neg | exp.Alias | exp.Filter | exp.Window | exp.IgnoreNulls | exp.Order | exp.Distinct
    ):
        return kind_of(node.this if node.this else _first(node), depth + 1)
    if isinstance(node, exp.Literal):
        return _literal(node)
    if isinstance(node, exp.Cast | exp.TryCast):
        return of_type(node.to)
    if isinstance(node, exp.Column):
        return _column(node, depth)
    if isinstance(node, exp.Anonymous):
        return _call(node, depth)
    if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div | exp.Mod):
        return _arithmetic(node, depth)
    if isinstance(node, exp.Case | exp.If | exp.Coalesce):
        return _branches(node, depth)
    if isinstance(node, SqlJson) and node.args["name"] in ("JSON_EXISTS", "JSON_VALUE"):
        to = node.args.get("returning")
        return Kind("boolean") if node.args["name"] == "JSON_EXISTS" else of_type(to) if to else Kind("varchar")
    if isinstance(node, exp.Interval):
        return Kind("interval", MONTHS if str(node.args.get("unit")).upper()[:4] in ("YEAR", "MONT") else 3)
    return Kind(_SINGLE.get(type(node), ""), 3)


_SINGLE: dict[type[Node], str] = {
    exp.DPipe: "",
    exp.CurrentDate: "date",
    exp.CurrentTimestamp: "timestamptz",
    exp.Localtimestamp: "timestamp",
    exp.Array: "array",
    exp.Boolean: "boolean",
    exp.Extract: "integer",
    exp.GroupConcat: "varchar",
    exp.ParseJSON: "json",
    exp.Trim: "varchar",
    SqlJson: "varchar",
    exp.Substring: "varchar",
}


def of_type(to: exp.DataType) -> Kind:
    """Tell the kind that a written type has.

    >>> of_type(exp.DataType.build("timestamp(6)", dialect="trino"))
    Kind(name='timestamp', digits=6)
    """
    name = _TYPES.get(to.this, "")
    parameters = [int(p.name) for p in to.expressions if isinstance(p, exp.DataTypeParam) and p.name.isdigit()]
    return Kind(name, parameters[0] if parameters and name.startswith("time") else 3)


def _literal(node: exp.Literal) -> Kind:
    if node.is_string:
        return Kind("varchar")
    number = str(node.this).lower()
    return Kind("double" if "e" in number else "decimal" if "." in number else "integer")


def _first(node: Node) -> Node | None:
    return node.expressions[0] if node.expressions else None


def _call(node: exp.Anonymous, depth: int) -> Kind:
    name = str(node.name).lower()
    if name in _SAME_AS_FIRST:
        many = name in ("max", "min") and len(node.expressions) > 1
        return Kind("array") if many else kind_of(_first(node), depth + 1)
    if name in _MERGED:
        operands = node.expressions[::2] if name in ("lag", "lead") else node.expressions
        return _merged(operands, depth)
    if name in ("date_add", "date_trunc") and node.expressions:
        return kind_of(node.expressions[-1], depth + 1)
    if name in ("current_timestamp", "localtimestamp"):
        digits = int(node.expressions[0].name) if node.expressions else 3
        return Kind("timestamptz" if name == "current_timestamp" else "timestamp", digits)
    if name == "sum":
        inner = kind_of(_first(node), depth + 1)
        return inner if inner.name in ("integer", "decimal", "double", "real") else Kind()
    if name == "avg":
        inner = kind_of(_first(node), depth + 1)
        return Kind("double") if inner.name in ("integer", "double") else Kind()
    return Kind(_CALLS.get(name, ""), 3)


def _arithmetic(node: exp.Binary, depth: int) -> Kind:
    left, right = kind_of(node.this, depth + 1), kind_of(node.expression, depth + 1)
    names = {left.name, right.name}
    if "interval" in names:
        if isinstance(node, exp.Add | exp.Sub):
            return left if right.name == "interval" else right
        return Kind("interval")
    return _common({left, right}) if names <= _NUMBERS else Kind()


def _branches(node: Node, depth: int) -> Kind:
    branches = (branch.args.get("true") for branch in node.args.get("ifs") or [])
    results = [*branches, *(node.args.get(key) for key in ("true", "false", "default"))]
    return _merged([result for result in results if result is not None], depth)


def _merged(results: list[Node], depth: int) -> Kind:
    return _common({kind_of(result, depth + 1) for result in results if not isinstance(result, exp.Null)})


def _common(kinds: set[Kind]) -> Kind:
    """The kind that values of these kinds are brought to; unknown where one of them is."""
    names = {kind.name for kind in kinds}
    if len(names) == 1:
        return Kind(names.pop(), max(kind.digits for kind in kinds))
    if "double" in names and names <= _NUMBERS:
        return Kind("double")
    return Kind("decimal") if names == {"integer", "decimal"} else Kind()


def _column(node: exp.Column, depth: int) -> Kind:
    select = node.find_ancestor(exp.Select)
    if select is None or node.find_ancestor(exp.Lambda):
        return Kind()
    if not node.table and _orders(node, select):
        named = [each for each in select.selects if each.alias_or_name.lower() == node.name.lower()]
        if named and not isinstance(named[0], exp.Column):
            return kind_of(named[0], depth + 1)
    found = [
        _output(source, node.name, depth + 1)
        for source in _sources(select)
        if not node.table or node.table.lower() == source.alias_or_name.lower()
    ]
    known = [kind for kind in found if kind is not None]
    return known[0] if len(known) == 1 else Kind()


def _orders(node: exp.Column, select: exp.Select) -> bool:
    """Whether a column stands in ORDER BY, where the names that SELECT gives come first."""
    order = select.args.get("order")
    above: Node | None = node
    while above is not None and above is not select:
        if above is order:
            return True
        above = above.parent
    return False


def _sources(select: exp.Select) -> list[Node]:
    first = select.args.get("from_")
    joined = [join.this for join in select.args.get("joins") or []]
    return [*([first.this] if first else []), *joined]


def _output(source: Node, column: str, depth: int) -> Kind | None:
    """Tell the kind of a column that a table of this statement's own puts out; None where that is another's."""
    query, names = _defined(source)
    if depth > DEEPEST:
        return None
    if query is None:
        return _stored(source, column, depth + 1)
    if names:
        places = [i for i, name in enumerate(names) if name.lower() == column.lower()]
        return _at(query, places[0], depth + 1) if places else None
    return _named(query, column, depth + 1)


def _stored(source: Node, column: str, depth: int) -> Kind | None:
    """Tell the kind of a column of the catalog's; none where the statement gives columns other names."""
    if not isinstance(source, exp.Table) or not source.db or source.args.get("pivots"):
        return None
    alias = source.args.get("alias")
    if alias and alias.args.get("columns"):
        return None
    found = (_TABLES.get() or {}).get(f"{source.db}.{source.name}".lower(), ())
    if isinstance(found, str):
        return _named(read_once(found), column, depth)
    return next((kind for name, kind in found if name.lower() == column.lower()), None)


def _named(query: Node, column: str, depth: int) -> Kind | None:
    if isinstance(query, exp.SetOperation):
        return _both(_named(query.this, column, depth), _named(query.expression, column, depth))
    if isinstance(query, exp.Subquery):
        return _named(query.this, column, depth)
    if not isinstance(query, exp.Select):
        return None
    for projection in query.selects:
        if projection.alias_or_name.lower() == column.lower():
            return kind_of(projection, depth + 1)
    stars = [projection for projection in query.selects if projection.is_star]
    if stars:
        of = {star.table.lower() for star in stars if isinstance(star, exp.Column)}
        every = any(isinstance(star, exp.Star) for star in stars)
        sources = [each for each in _sources(query) if every or each.alias_or_name.lower() in of]
        inner = [_output(nested, column, depth + 1) for nested in sources]
        return next((kind for kind in inner if kind is not None), None)
    return None


def _at(query: Node, place: int, depth: int) -> Kind | None:
    if isinstance(query, exp.SetOperation):
        return _both(_at(query.this, place, depth), _at(query.expression, place, depth))
    if isinstance(query, exp.Subquery):
        return _at(query.this, place, depth)
    if isinstance(query, exp.Values):
        cells = [row.expressions[place] if isinstance(row, exp.Tuple) else row for row in query.expressions]
        return _merged(cells, depth + 1)
    before = query.selects[: place + 1] if isinstance(query, exp.Select) else []
    if len(before) <= place or any(projection.is_star for projection in before):
        return None
    return kind_of(before[place], depth + 1)


def _both(left: Kind | None, right: Kind | None) -> Kind | None:
    return left if left == right else None


def _defined(source: Node) -> tuple[Node | None, list[str]]:
    """Find what a table in FROM stands for in this statement, and the names its columns are given there."""
    alias = source.args.get("alias")
    names = [column.name for column in alias.args.get("columns") or []] if alias else []
    if isinstance(source, exp.Subquery):
        return source.this, names
    if isinstance(source, exp.Values):
        return source, names or [f"_col{i}" for i in range(len(source.expressions[0].expressions))]
    cte = _cte(source)
    if cte is None:
        return None, []
    given = [column.name for column in cte.args["alias"].args.get("columns") or []]
    return cte.this, names or given


def _cte(source: Node) -> exp.CTE | None:
    if not isinstance(source, exp.Table) or source.db:
        return None
    scope: Node | None = source
    while scope is not None:
        with_ = scope.args.get("with_")
        for cte in with_.expressions if with_ else []:
            if isinstance(cte, exp.CTE) and cte.alias.lower() == source.name.lower():
                return cte
        scope = scope.parent
    return None
