"""Rules of rows that become columns, and of set operations that match columns by name."""

from __future__ import annotations

from sqlglot import exp

from phlo.engine.dialect.comparisons import meet
from phlo.engine.dialect.nodes import Node, fragment, refuse
from phlo.engine.dialect.rules import Translate, rebuilt, rule


def opened(projection: Node, t: Translate) -> list[Node] | None:
    """Turn ``(row).*`` into its fields, with the names they have or are given; None for any other column."""
    given = [name.name for name in projection.expressions] if isinstance(projection, exp.Aliases) else []
    dot = projection.this if isinstance(projection, exp.Aliases) else projection
    if not isinstance(dot, exp.Dot) or not isinstance(dot.expression, exp.Star):
        return None
    fields = _fields(dot.this)
    if fields is None:
        refuse(projection, ".*", "name the fields of the row")
    if given and len(given) != len(fields):
        refuse(projection, ".*", f"the row has {len(fields)} fields")
    names = given or [name or f"_col{i}" for i, name in enumerate(fields)]
    row = t(dot.this)
    parts = [fragment(f"struct_extract_at({{0}}, {i + 1})", row.copy()) for i in range(len(fields))]
    return [exp.alias_(part, name, quoted=True) for part, name in zip(parts, names, strict=True)]


def _fields(row: Node) -> list[str] | None:
    """The names of a row's fields, empty where they have none; None where the statement does not say."""
    if isinstance(row, exp.Paren):
        return _fields(row.this)
    if isinstance(row, exp.Cast) and row.to.this is exp.DType.STRUCT:
        return [field.name if isinstance(field, exp.ColumnDef) else "" for field in row.to.expressions]
    if isinstance(row, exp.Tuple) or (isinstance(row, exp.Anonymous) and row.name.lower() == "row"):
        return ["" for _ in row.expressions]
    return None


@rule(exp.Union, exp.Intersect, exp.Except)
def _set_operation(node: Node, t: Translate) -> Node:
    if not node.args.get("by_name"):
        _check_columns(node)
        return rebuilt(node, t)
    left, right = _outputs(node.this), _outputs(node.expression)
    if left is None or right is None:
        refuse(node, "CORRESPONDING", "list the columns on both sides")
    common = [name for name in left if name.lower() in {other.lower() for other in right}]
    if not common:
        refuse(node, "CORRESPONDING", "the sides have no column in common")
    sides = [
        exp.select(*(exp.column(name, quoted=True) for name in common), copy=False).from_(
            exp.Subquery(this=side.copy(), alias=exp.TableAlias(this=exp.to_identifier(f"_side{i}"))), copy=False
        )
        for i, side in enumerate((node.this, node.expression))
    ]
    plain = node.copy()
    for key, value in (("by_name", None), ("kind", None), ("side", None), ("this", sides[0]), ("expression", sides[1])):
        plain.set(key, value)
    return t(plain)


def _check_columns(node: Node) -> None:
    """Raise ``TypesDiffer`` where columns that meet are known to be of types that do not."""
    sides = [side.selects if isinstance(side, exp.Select) else [] for side in (node.this, node.expression)]
    if any(projection.is_star for side in sides for projection in side) or len(sides[0]) != len(sides[1]):
        return
    for left, right in zip(*sides, strict=True):
        meet(node, left, right, f"and, in {node.key.upper()},")


def _outputs(query: Node) -> list[str] | None:
    """The names of a query's columns; None where the statement does not say."""
    if isinstance(query, exp.Subquery):
        return _outputs(query.this)
    if isinstance(query, exp.SetOperation):
        return None if query.args.get("by_name") else _outputs(query.this)
    if not isinstance(query, exp.Select):
        return None
    if len(query.expressions) == 1 and isinstance(query.expressions[0], exp.Star):
        return _of_source(query)
    names = [projection.alias_or_name for projection in query.expressions]
    return names if all(names) and not any(isinstance(e, exp.Star) for e in query.expressions) else None


def _of_source(query: exp.Select) -> list[str] | None:
    source = query.args["from_"].this if query.args.get("from_") else None
    if source is None or query.args.get("joins"):
        return None
    alias = source.args.get("alias")
    names = [column.name for column in alias.columns] if isinstance(alias, exp.TableAlias) else []
    return names or (_outputs(source.this) if isinstance(source, exp.Subquery) else None)
