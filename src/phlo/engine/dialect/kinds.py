"""What can be told of an expression's type from the statement alone: enough to keep its SQL short.

Where this says nothing, DuckDB decides when it binds the statement (see ``calls``).
"""

from __future__ import annotations

from typing import NamedTuple

from sqlglot import exp
from sqlglot.expressions import DType

MICROSECONDS = 6  # the digits of a second that an Iceberg timestamp has
NOT_NUMERIC = frozenset({"varchar", "boolean", "date", "time", "timestamp", "timestamptz", "interval", "array", "map"})


class Kind(NamedTuple):
    """A family of types, and for times the digits of their seconds."""

    name: str = ""
    digits: int = MICROSECONDS


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
}
_CALLS = {
    **dict.fromkeys(
        ("count", "count_if", "length", "strpos", "cardinality", "date_diff", "day_of_week", "year", "month", "day", "hour",
         "minute", "second", "quarter", "week", "day_of_year", "to_milliseconds", "row_number", "rank", "dense_rank",
         "ntile", "approx_distinct", "codepoint"), "integer"),
    **dict.fromkeys(
        ("sqrt", "power", "pow", "exp", "ln", "log", "log2", "log10", "pi", "e", "random", "rand", "to_unixtime", "stddev",
         "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop", "sin", "cos", "tan", "cbrt", "infinity", "nan",
         "percent_rank", "cume_dist", "geometric_mean"), "double"),
    **dict.fromkeys(
        ("lower", "upper", "substr", "substring", "trim", "ltrim", "rtrim", "replace", "format_datetime", "date_format",
         "json_extract_scalar", "regexp_extract", "regexp_replace", "split_part", "listagg", "lpad", "rpad",
         "array_join", "json_format", "to_hex", "format", "to_iso8601"), "varchar"),
    **dict.fromkeys(("date", "last_day_of_month", "from_iso8601_date"), "date"),
    **dict.fromkeys(("transform", "filter", "split", "array_agg", "sequence", "map_keys", "map_values", "array_sort",
                     "array_distinct", "slice", "zip", "map_entries", "flatten", "regexp_split"), "array"),
    **dict.fromkeys(("map", "map_agg", "histogram", "map_filter", "transform_values", "map_concat", "multimap_agg",
                     "split_to_map", "map_from_entries"), "map"),
    **dict.fromkeys(("json_parse", "json_extract", "json_array_get"), "json"),
    **dict.fromkeys(("from_unixtime", "now", "current_timestamp", "parse_datetime", "from_iso8601_timestamp"), "timestamptz"),
    **dict.fromkeys(("date_parse", "localtimestamp"), "timestamp"),
}  # fmt: skip
_SAME_AS_FIRST = frozenset({"abs", "max", "min", "coalesce", "nullif", "mod", "lag", "lead", "first_value", "last_value",
                            "any_value", "arbitrary", "greatest", "least", "try", "date_trunc"})  # fmt: skip


def kind_of(node: exp.Expression | None, depth: int = 0) -> Kind:
    """Tell the kind of an expression as it was written; an empty name where the statement does not say.

    >>> from phlo.engine.dialect.reader import parse
    >>> kind_of(parse("SELECT CAST(x AS timestamp)").selects[0])
    Kind(name='timestamp', digits=3)
    """
    if node is None or depth > 20:
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
    return Kind(_SINGLE.get(type(node), ""), 3)


_SINGLE: dict[type[exp.Expression], str] = {
    exp.DPipe: "",
    exp.CurrentDate: "date",
    exp.CurrentTimestamp: "timestamptz",
    exp.Localtimestamp: "timestamp",
    exp.Interval: "interval",
    exp.Array: "array",
    exp.Boolean: "boolean",
    exp.Extract: "integer",
    exp.GroupConcat: "varchar",
    exp.Trim: "varchar",
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


def _first(node: exp.Expression) -> exp.Expression | None:
    return node.expressions[0] if node.expressions else None


def _call(node: exp.Anonymous, depth: int) -> Kind:
    name = str(node.name).lower()
    if name in _SAME_AS_FIRST:
        operand = node.expressions[-1] if name == "date_trunc" else _first(node)
        return kind_of(operand, depth + 1)
    if name == "date_add" and len(node.expressions) == 3:
        return kind_of(node.expressions[2], depth + 1)
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
        return left if right.name == "interval" else right
    if "double" in names:
        return Kind("double")
    if names <= {"integer", "decimal"}:
        return Kind("decimal" if "decimal" in names else "integer")
    return Kind()


def _branches(node: exp.Expression, depth: int) -> Kind:
    results = [*(branch.args.get("true") for branch in node.args.get("ifs") or []), node.args.get("true"),
               node.args.get("false"), node.args.get("default")]  # fmt: skip
    kinds = {
        kind_of(result, depth + 1) for result in results if result is not None and not isinstance(result, exp.Null)
    }
    names = {kind.name for kind in kinds}
    if len(names) == 1:
        return Kind(names.pop(), max(kind.digits for kind in kinds))
    if "double" in names and names <= {"double", "integer", "decimal", "real"}:
        return Kind("double")
    return Kind("decimal") if names == {"integer", "decimal"} else Kind()


def _column(node: exp.Column, depth: int) -> Kind:
    select = node.find_ancestor(exp.Select)
    if select is None or node.find_ancestor(exp.Lambda):
        return Kind()
    found = [
        _output(source, node.name, depth + 1)
        for source in _sources(select)
        if not node.table or node.table == source.alias_or_name
    ]
    known = [kind for kind in found if kind is not None]
    return known[0] if len(known) == 1 else Kind()


def _sources(select: exp.Select) -> list[exp.Expression]:
    first = select.args.get("from_")
    joined = [join.this for join in select.args.get("joins") or []]
    return [*([first.this] if first else []), *joined]


def _output(source: exp.Expression, column: str, depth: int) -> Kind | None:
    query = source.this if isinstance(source, exp.Subquery) else _cte(source)
    if not isinstance(query, exp.Select) or depth > 20:
        return None
    for projection in query.selects:
        if projection.alias_or_name.lower() == column.lower():
            return kind_of(projection, depth + 1)
    if any(isinstance(projection, exp.Star) for projection in query.selects):
        inner = [_output(nested, column, depth + 1) for nested in _sources(query)]
        return next((kind for kind in inner if kind is not None), None)
    return None


def _cte(source: exp.Expression) -> exp.Expression | None:
    if not isinstance(source, exp.Table) or source.db:
        return None
    scope: exp.Expression | None = source
    while scope is not None:
        with_ = scope.args.get("with_")
        for cte in with_.expressions if with_ else []:
            if cte.alias.lower() == source.name.lower() and not cte.find(exp.Values):
                found: exp.Expression = cte.this
                return found
        scope = scope.parent
    return None
