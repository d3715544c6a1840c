"""Rules of queries: tables, UNNEST, VALUES, joins, and the names of columns that have none."""

from __future__ import annotations

from sqlglot import exp

from phlo.engine.dialect.kinds import kind_of
from phlo.engine.dialect.nodes import fragment, refuse
from phlo.engine.dialect.rules import Translate, rebuilt, rule

CATALOGS = frozenset({"lake", "iceberg"})
_JOIN_KINDS = frozenset({"", "CROSS", "INNER", "OUTER"})
_JOIN_SIDES = frozenset({"", "LEFT", "RIGHT", "FULL"})


@rule(exp.Select)
def _select(node: exp.Expression, t: Translate) -> exp.Expression:
    distinct = node.args.get("distinct")
    if distinct is not None and distinct.args.get("on"):
        refuse(node, "DISTINCT ON", "use row_number() or max_by(x, y)")
    projections = [_named(t(e), e, i) for i, e in enumerate(node.expressions)]
    return rebuilt(node, t, expressions=projections)


def _named(done: exp.Expression, written: exp.Expression, position: int) -> exp.Expression:
    """Name a column as Trino would: by its place, where the query gives it no name."""
    if isinstance(written, exp.Star | exp.Alias | exp.Column | exp.Aliases):
        return done
    if isinstance(written, exp.Dot):
        return exp.alias_(done, written.name, quoted=True)
    return exp.alias_(done, f"_col{position}", quoted=True)


@rule(exp.Star)
def _star(node: exp.Expression, t: Translate) -> exp.Expression:
    if any(node.args.values()):
        refuse(node, node.sql("trino"), "name the columns")
    return exp.Star()


@rule(exp.Column)
def _column(node: exp.Expression, t: Translate) -> exp.Expression:
    copy = rebuilt(node, t)
    if copy.args.get("catalog") and copy.text("catalog").lower() in CATALOGS:
        copy.set("catalog", None)
    return copy


@rule(exp.Table)
def _table(node: exp.Expression, t: Translate) -> exp.Expression:
    if isinstance(node.this, exp.Anonymous):
        return _table_function(node, t)
    for argument in ("version", "when", "pivots", "hints", "partition", "rows_from", "changes"):
        if node.args.get(argument):
            refuse(node, node.sql("trino"), "query another state with --ref or --as-of")
    catalog = node.text("catalog").lower()
    if catalog and catalog not in CATALOGS:
        refuse(node, node.sql("trino"), "tables are named namespace.name")
    return rebuilt(node, t, catalog=None)


def _table_function(node: exp.Expression, t: Translate) -> exp.Expression:
    inner = node.this.expressions[0] if node.this.name.lower() == "table" and node.this.expressions else None
    if not isinstance(inner, exp.Anonymous) or inner.name.lower() != "sequence":
        refuse(node, node.this.name, "the table function here is TABLE(sequence(start, stop, step))")
    alias = node.args.get("alias")
    query = fragment('(SELECT unnest({0}) AS "sequential_number")', t(inner))
    return fragment("{0} AS {1}", query, t(alias)) if alias else query


@rule(exp.TableSample)
def _sample(node: exp.Expression, t: Translate) -> exp.Expression:
    return refuse(node, "TABLESAMPLE", "filter with random() < 0.1")


@rule(exp.Fetch)
def _fetch(node: exp.Expression, t: Translate) -> exp.Expression:
    options = node.args.get("limit_options")
    if options is not None and (options.args.get("with_ties") or options.args.get("percent")):
        refuse(node, "FETCH FIRST … WITH TIES", "use rank() and filter by it")
    count = node.args.get("count")
    return exp.Limit(expression=t(count) if count else exp.Literal.number(1))


@rule(exp.Join)
def _join(node: exp.Expression, t: Translate) -> exp.Expression:
    kind, side = str(node.args.get("kind") or "").upper(), str(node.args.get("side") or "").upper()
    if node.args.get("method") or kind not in _JOIN_KINDS or side not in _JOIN_SIDES:
        refuse(node, node.sql("trino").strip().split(" JOIN")[0] + " JOIN", "use a join with ON or USING")
    return rebuilt(node, t)


@rule(exp.Unnest)
def _unnest(node: exp.Expression, t: Translate) -> exp.Expression:
    alias = node.args.get("alias")
    names = [column.name for column in (alias.columns if alias else [])]
    offset = node.args.get("offset")
    ordinality = [offset.name if isinstance(offset, exp.Identifier) else f"_col{len(names)}"] if offset else []
    columns = _unnested(node, len(names), t)
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


def _unnested(node: exp.Expression, names: int, t: Translate) -> list[tuple[str, exp.Expression]]:
    arrays: list[exp.Expression] = node.expressions
    columns: list[tuple[str, exp.Expression]] = []
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
def _lateral(node: exp.Expression, t: Translate) -> exp.Expression:
    if not isinstance(node.this, exp.Subquery):
        refuse(node, "LATERAL", "LATERAL takes a query in parentheses")
    return rebuilt(node, t)


@rule(exp.Values)
def _values(node: exp.Expression, t: Translate) -> exp.Expression:
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


def _values_row(row: exp.Expression, t: Translate) -> exp.Expression:
    cells = row.expressions if isinstance(row, exp.Tuple) else [row]
    if len(cells) == 1 and isinstance(cells[0], exp.Anonymous) and cells[0].name.lower() == "row":
        cells = cells[0].expressions
    return exp.Tuple(expressions=[t(cell) for cell in cells])


def _place(node: exp.Expression) -> int:
    return next(i for i, found in enumerate(node.root().find_all(exp.Values)) if found is node)


@rule(exp.Subquery)
def _subquery(node: exp.Expression, t: Translate) -> exp.Expression:
    if any(node.args.get(argument) for argument in ("pivots", "sample")):
        refuse(node, "PIVOT", "use max(…) FILTER (WHERE …)")
    return rebuilt(node, t)
