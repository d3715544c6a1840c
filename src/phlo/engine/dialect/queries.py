"""Rules of queries: tables, UNNEST, VALUES, joins, and the names of columns that have none."""

from __future__ import annotations

from sqlglot import exp

from phlo.engine.dialect.aggregates import AGGREGATES
from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.nodes import Node, fragment, refuse
from phlo.engine.dialect.rules import Translate, rebuilt, rule

CATALOGS = frozenset({"lake", "iceberg"})
_JOIN_KINDS = frozenset({"", "CROSS", "INNER", "OUTER"})
_JOIN_SIDES = frozenset({"", "LEFT", "RIGHT", "FULL"})


@rule(exp.Select)
def _select(node: Node, t: Translate) -> Node:
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on"):
        refuse(node, "DISTINCT ON", "use row_number() or max_by(x, y)")
    projections = [_named(t(e), e, i) for i, e in enumerate(node.expressions)]
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
    if isinstance(written, exp.Aliases):
        refuse(written, written.sql("trino"), "name the fields of the row")
    if isinstance(written, exp.Star | exp.Alias | exp.Column):
        return done
    if isinstance(written, exp.Dot):
        if isinstance(written.expression, exp.Star):
            refuse(written, ".*", "name the fields of the row")
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
    query = fragment('(SELECT unnest({0}) AS "sequential_number")', t(inner))
    return fragment("{0} AS {1}", query, t(alias)) if alias else query


@rule(exp.TableSample)
def _sample(node: Node, _t: Translate) -> Node:
    return refuse(node, "TABLESAMPLE", "filter with random() < 0.1")


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
        lengths = ", ".join(f"coalesce(len({{{i}}}), 0)" for i in range(len(operands)))
        selected.append(f"unnest(range(1, greatest({lengths}, 0) + 1))")
    names = names or [f"_col{i}" for i in range(len(columns))]
    listed = ", ".join(_quoted(name) for name in [*names, *ordinality])
    table = _quoted(alias.name if alias and alias.name else "_unnested")
    lateral = "LATERAL " if isinstance(node.parent, exp.Join) else ""
    return fragment(f"{lateral}(SELECT {', '.join(selected)}) AS {table}({listed})", *operands)


def _unnested(node: Node, names: int, t: Translate) -> list[tuple[str, Node]]:
    arrays: list[Node] = node.expressions
    if len(arrays) > 1 and names not in (0, len(arrays)) and all(kind_of(array).name != "map" for array in arrays):
        refuse(node, "UNNEST of several arrays of rows", "unnest them one by one, WITH ORDINALITY, and join")
    columns: list[tuple[str, Node]] = []
    for array in arrays:
        if kind_of(array).name == "map":
            columns += [("unnest(map_keys({}))", t(array)), ("unnest(map_values({}))", t(array))]
        elif len(arrays) == 1 and names > 1:
            columns.append(("unnest({}, max_depth := 2)", t(array)))
        else:
            columns.append(("unnest({})", t(array)))
    return columns


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
    return next(i for i, found in enumerate(node.root().find_all(exp.Values)) if found is node)
