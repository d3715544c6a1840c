"""Rules of queries: tables, UNNEST, VALUES, joins, and the names of columns that have none."""

from __future__ import annotations

from sqlglot import exp

from phlo.engine.dialect.aggregates import AGGREGATES
from phlo.engine.dialect.json_grammar import SqlJson
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.nodes import Node, fragment, refuse
from phlo.engine.dialect.rows import opened
from phlo.engine.dialect.rules import Translate, rebuilt, rule
from phlo.engine.dialect.sqljson import json_table
from phlo.engine.dialect.tables import CATALOGS

_JOIN_KINDS = frozenset({"", "CROSS", "INNER", "OUTER"})
_JOIN_SIDES = frozenset({"", "LEFT", "RIGHT", "FULL"})


@rule(exp.Select)
def _select(node: Node, t: Translate) -> Node:
    if isinstance(node, exp.Select):
        node = _with_ties(node)
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on"):
        refuse(node, "DISTINCT ON", "use row_number() or max_by(x, y)")
    projections: list[Node] = []
    for written in node.expressions:
        projections += opened(written, t) or [_named(t(written), written, len(projections))]
    order = node.args.get("order")
    if order is None:
        return rebuilt(node, t, expressions=projections)
    return rebuilt(node, t, expressions=projections, order=t(_by_outputs(order, node)))


def _by_outputs(order: exp.Order, select: Node) -> Node:
    """Put what a name of the output stands for into expressions to order by: there DuckDB means the input's column."""
    outputs = {e.alias.lower(): e.this for e in select.expressions if isinstance(e, exp.Alias)}

    def put(part: Node) -> Node:
        if not isinstance(part, exp.Column) or part.table or isinstance(part.parent, exp.Ordered):
            return part
        meant = outputs.get(part.name.lower())
        within = part.find_ancestor(exp.Anonymous, exp.Select)
        if (
            meant is None
            or isinstance(meant, exp.Column)
            or (isinstance(within, exp.Anonymous) and _aggregates(within))
        ):
            return part
        return exp.Paren(this=meant.copy())

    return (
        order.transform(put)
        if any(e.find(exp.Column) and not isinstance(e.this, exp.Column) for e in order.expressions)
        else order
    )


def _aggregates(call: exp.Anonymous) -> bool:
    return call.name.lower() in AGGREGATES


def _named(done: Node, written: Node, position: int) -> Node:
    """Name a column as Trino would: by its place, where the query gives it no name."""
    if isinstance(written, exp.Star | exp.Alias | exp.Column):
        return done
    if isinstance(written, exp.Dot):
        return exp.alias_(done, written.name, quoted=True)
    return exp.alias_(done, f"_col{position}", quoted=True)


@rule(exp.Column)
def _column(node: Node, t: Translate) -> Node:
    copy = rebuilt(node, t)
    if copy.args.get("catalog") and copy.text("catalog").lower() in CATALOGS:
        copy.set("catalog", None)
    return copy


@rule(exp.Table)
def _table(node: Node, t: Translate) -> Node:
    if isinstance(node.this, SqlJson):
        return json_table(node.this, node.args.get("alias"), t, lateral=isinstance(node.parent, exp.Join))
    if isinstance(node.this, exp.Anonymous):
        return _table_function(node, t)
    catalog = node.text("catalog").lower()
    if catalog and catalog not in CATALOGS:
        refuse(node, node.sql("trino"), "tables are named namespace.name")
    return rebuilt(node, t, catalog=None)


def _table_function(node: Node, t: Translate) -> Node:
    inner = node.this.expressions[0] if node.this.name.lower() == "table" and node.this.expressions else None
    if not isinstance(inner, exp.Anonymous) or inner.name.lower() != "sequence":
        refuse(node, node.this.name, "the table function here is TABLE(sequence(start, stop, step))")
    alias = node.args.get("alias")
    query = fragment('(SELECT unnest({0}) AS "sequential_number")', t(_positional(inner)))
    return fragment("{0} AS {1}", query, t(alias)) if alias else query


def _positional(call: exp.Anonymous) -> exp.Anonymous:
    """Bring named arguments of sequence into their places."""
    given = {part.this.name.lower(): part.expression for part in call.expressions if isinstance(part, exp.Kwarg)}
    if not given:
        return call
    if len(given) < len(call.expressions) or not set(given) <= {"start", "stop", "step"} or "stop" not in given:
        refuse(call, "sequence", "its arguments are start, stop and step")
    start = given.get("start", exp.Literal.number(0))
    operands = [start, given["stop"], *([given["step"]] if "step" in given else [])]
    return exp.Anonymous(this="sequence", expressions=[operand.copy() for operand in operands])


@rule(exp.TableSample)
def _sample(node: Node, _t: Translate) -> Node:
    method = str(node.args.get("method") or "BERNOULLI").upper()
    share = node.args.get("percent") or node.args.get("size")
    if method not in ("BERNOULLI", "SYSTEM") or not isinstance(share, exp.Literal):
        refuse(node, "TABLESAMPLE", "write TABLESAMPLE BERNOULLI (10)")
    return fragment(f" TABLESAMPLE {method.lower()}({float(share.name)} PERCENT)")


def _with_ties(node: exp.Select) -> exp.Select:
    """Put rank() in the place of FETCH FIRST n ROWS WITH TIES."""
    fetch, order = node.args.get("limit"), node.args.get("order")
    options = fetch.args.get("limit_options") if isinstance(fetch, exp.Fetch) else None
    if not isinstance(fetch, exp.Fetch) or options is None or not options.args.get("with_ties"):
        return node
    terms = order.expressions if order else []
    if node.args.get("offset") or node.args.get("distinct") or not terms or any(_is_place(term) for term in terms):
        refuse(node, "FETCH FIRST … WITH TIES", "order by columns, without OFFSET and DISTINCT")
    plain = node.copy()
    plain.set("limit", None)
    rank = exp.Window(this=exp.Anonymous(this="rank"), order=exp.Order(expressions=[term.copy() for term in terms]))
    count = fetch.args.get("count") or exp.Literal.number(1)
    plain.set("qualify", exp.Qualify(this=exp.LTE(this=rank, expression=count.copy())))
    return plain


def _is_place(term: Node) -> bool:
    return isinstance(term.this, exp.Literal)


@rule(exp.Qualify)
def _qualify(node: Node, t: Translate) -> Node:
    return rebuilt(node, t)


@rule(exp.Fetch)
def _fetch(node: Node, t: Translate) -> Node:
    options = node.args.get("limit_options")
    if options is not None and (options.args.get("with_ties") or options.args.get("percent")):
        refuse(node, "FETCH FIRST … WITH TIES", "use rank() and filter by it")
    count = node.args.get("count")
    return exp.Limit(expression=t(count) if count else exp.Literal.number(1))


@rule(exp.Join)
def _join(node: Node, t: Translate) -> Node:
    kind, side = str(node.args.get("kind") or "").upper(), str(node.args.get("side") or "").upper()
    if kind not in _JOIN_KINDS or side not in _JOIN_SIDES:
        refuse(node, node.sql("trino").strip().split(" JOIN")[0] + " JOIN", "use a join with ON or USING")
    return rebuilt(node, t)


@rule(exp.Unnest)
def _unnest(node: Node, t: Translate) -> Node:
    alias = node.args.get("alias")
    names = [column.name for column in (alias.columns if alias else [])]
    offset = node.args.get("offset")
    columns = _unnested(node, len(names), t)
    named = isinstance(offset, exp.Identifier) and names
    ordinality = [offset.name if named else f"_col{len(columns)}"] if offset else []
    operands = [operand for _, operand in columns]
    selected = [template.replace("{}", f"{{{i}}}") for i, (template, _) in enumerate(columns)]
    if ordinality:
        counted = ("len(map_keys(@))" if "map_" in template else "len(@)" for template, _ in columns)
        lengths = ", ".join(f"coalesce({count}, 0)".replace("@", f"{{{i}}}") for i, count in enumerate(counted))
        selected.append(f"unnest(range(1, greatest({lengths}, 0) + 1))")
    names = names or [f"_col{i}" for i in range(len(columns))]
    listed = ", ".join(_quoted(name) for name in [*names, *ordinality])
    table = _quoted(alias.name if alias and alias.name else f"_unnested{_place(node)}")
    lateral = "LATERAL " if isinstance(node.parent, exp.Join) else ""
    return fragment(f"{lateral}(SELECT {', '.join(selected)}) AS {table}({listed})", *operands)


def _unnested(node: Node, names: int, t: Translate) -> list[tuple[str, Node]]:
    arrays: list[Node] = node.expressions
    widths = [_width(array) for array in arrays]
    if len(arrays) > 1 and names not in (0, len(arrays)) and None in widths:
        refuse(node, "UNNEST of several arrays of rows", "unnest them one by one, WITH ORDINALITY, and join")
    columns: list[tuple[str, Node]] = []
    for array in arrays:
        if kind_of(array).name == "map":
            columns += [("unnest(map_keys({}))", t(array)), ("unnest(map_values({}))", t(array))]
        elif (len(arrays) == 1 and names > 1) or _of_rows(array):
            columns.append(("unnest({}, max_depth := 2)", t(array)))
        else:
            columns.append(("unnest({})", t(array)))
    return columns


def _of_rows(array: Node) -> bool:
    """Whether the elements of an array are known to be rows."""
    if isinstance(array, exp.Array) and array.expressions:
        first = array.expressions[0]
        return isinstance(first, exp.Tuple) or (isinstance(first, exp.Anonymous) and first.name.lower() == "row")
    inside = array.to.expressions if isinstance(array, exp.Cast) and array.to.this is exp.DType.ARRAY else []
    return bool(inside) and inside[0].this is exp.DType.STRUCT


def _width(array: Node) -> int | None:
    """How many columns the elements of an array become; None where the statement does not say."""
    if kind_of(array).name == "map":
        return 2
    if isinstance(array, exp.Array) and array.expressions:
        first = array.expressions[0]
        if isinstance(first, exp.Tuple) or (isinstance(first, exp.Anonymous) and first.name.lower() == "row"):
            return len(first.expressions)
        return 1 if kind_of(first).name else None
    if isinstance(array, exp.Cast) and array.to.this is exp.DType.ARRAY and array.to.expressions:
        inside = array.to.expressions[0]
        return len(inside.expressions) if inside.this is exp.DType.STRUCT else 1
    return None


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql().replace("{", "{{").replace("}", "}}")


@rule(exp.Lateral)
def _lateral(node: Node, t: Translate) -> Node:
    if not isinstance(node.this, exp.Subquery):
        refuse(node, "LATERAL", "LATERAL takes a query in parentheses")
    return rebuilt(node, t)


@rule(exp.Values)
def _values(node: Node, t: Translate) -> Node:
    rows = [_values_row(row, t) for row in node.expressions]
    alias = node.args.get("alias")
    width = len(rows[0].expressions)
    names = [column.name for column in alias.columns] if alias else []
    names = names or [f"_col{i}" for i in range(width)]
    table = alias.name if alias and alias.name else f"_values{_place(node)}"
    inside = ", ".join(f"{{{i}}}" for i in range(len(rows)))
    listed = ", ".join(_quoted(name) for name in names)
    source = f"(VALUES {inside}) AS {_quoted(table)}({listed})"
    if isinstance(node.parent, exp.From | exp.Join):
        return fragment(source, *rows)
    return fragment(f"SELECT * FROM {source}", *rows)


def _values_row(row: Node, t: Translate) -> Node:
    cells = row.expressions if isinstance(row, exp.Tuple) else [row]
    if len(cells) == 1 and isinstance(cells[0], exp.Anonymous) and cells[0].name.lower() == "row":
        cells = cells[0].expressions
    return exp.Tuple(expressions=[t(cell) for cell in cells])


def _place(node: Node) -> int:
    return next(i for i, found in enumerate(node.root().find_all(type(node))) if found is node)
