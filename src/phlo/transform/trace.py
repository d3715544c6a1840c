"""Which columns of which tables each column of a query is computed from: its SQL and its tables' columns in.

A column comes from the columns that its own expression names: those of functions, conditions, windows and scalar
queries in it count, those of joins and filters beside it do not, and ``count(*)`` comes from none.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

from phlo.engine.dialect import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

Found = frozenset[tuple[str, str]]
"""Columns as (table, column)."""

Columns = tuple[tuple[str, str], ...]
"""A table's columns as (name, type)."""

NONE: Found = frozenset()


class Untraceable(Exception):
    """A column that can not be resolved."""


def trace(sql: str, tables: Mapping[str, Columns], dialect: str = "trino") -> dict[str, Found]:
    """Tell for each column of a query, in lower case, which columns of which tables it comes from.

    Raises ``Untraceable`` where a name has no one meaning by these tables.

    >>> sorted(trace("SELECT a + b AS c FROM s.t", {"s.t": (("A", "bigint"), ("b", "bigint"))})["c"])
    [('s.t', 'A'), ('s.t', 'b')]
    """
    tree = parse(sql, dialect)
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
    qualified = _qualified(tree, tables, dialect)
    if isinstance(qualified, exp.Values):
        return {}
    scopes = traverse_scope(qualified)
    own = {name: {column.lower(): column for column, _ in columns} for name, columns in tables.items()}
    placed, known = {id(scope.expression): scope for scope in scopes}, dict[int, list[Found]]()
    while True:
        tracer = _Tracer(own, placed, known)
        found = tracer.outputs(scopes[-1])
        if tracer.known == known or not any(each.recursive for each in qualified.find_all(exp.With)):
            return dict(zip(_names(scopes[-1]), found, strict=True))
        known = tracer.known  # what recursive queries return goes into them again


def _qualified(tree: Any, tables: Mapping[str, Columns], dialect: str) -> Any:
    """Write every name of a column with the table or query that it is of, and stars as their columns."""
    try:
        return qualify(
            tree,
            dialect=f"{dialect}, normalization_strategy=case_insensitive",
            schema=_schema(tables),
            expand_alias_refs=False,
            validate_qualify_columns=False,
            quote_identifiers=False,
            identify=False,
        )
    except SqlglotError as error:
        raise Untraceable(" ".join(str(error).split())) from error


@dataclass
class _Tracer:
    tables: Mapping[str, Mapping[str, str]]
    """By table its columns' own names by those in lower case."""
    scopes: Mapping[int, Scope]
    """By its tree the scope of each query."""
    before: Mapping[int, list[Found]]
    """What the last round found, for queries that read themselves."""
    known: dict[int, list[Found]] = field(default_factory=dict)
    """By scope what its columns come from."""

    def outputs(self, scope: Scope) -> list[Found]:
        """What each column of a query comes from, in their order."""
        key = id(scope)
        if key not in self.known:
            self.known[key] = self.before.get(key) or [NONE] * len(_names(scope))
            query: Any = scope.expression
            if isinstance(query, exp.SetOperation):
                sides = [self._outputs_of(side) for side in (query.left, query.right)]
                self.known[key] = [frozenset().union(*parts) for parts in zip(*sides, strict=True)]
            else:
                self.known[key] = [self._of(each, scope) for each in query.selects]
        return self.known[key]

    def _of(self, expression: exp.Expression, scope: Scope) -> Found:
        """What the columns and the queries within an expression come from."""
        found: set[tuple[str, str]] = set()
        for node in expression.walk(prune=lambda node: isinstance(node, (exp.Column, exp.Query))):
            if isinstance(node, exp.Column):
                found |= self._column(node, scope)
            elif isinstance(node, exp.Query) and not isinstance(node.parent, exp.Exists):
                found = found.union(*self._outputs_of(node))
            elif isinstance(node, exp.Window) and node.args.get("alias"):
                named = (each for each in scope.expression.args.get("windows") or () if each.name == node.alias)
                found = found.union(*(self._of(part, scope) for each in named for part in each.iter_expressions()))
        return frozenset(found)

    def _outputs_of(self, query: exp.Query) -> list[Found]:
        inner = query.unnest() if isinstance(query, exp.Subquery) else query
        if isinstance(inner, exp.Values):
            raise Untraceable("VALUES beside a query has columns without names")
        return self.outputs(self.scopes[id(inner)])

    def _column(self, column: exp.Column, scope: Scope) -> Found:
        if isinstance(column.this, exp.Star):
            raise Untraceable(f"the columns of `{column.sql('trino')}` are not known")
        source, name = self._source(column, scope), column.name.lower()
        if isinstance(source, exp.Table):
            table = f"{source.db}.{source.name}".lower()
            own = self.tables.get(table, {}).get(name)
            if own is None:
                raise Untraceable(f"`{table}` has no column `{name}`")
            return frozenset({(table, own)})
        if isinstance(source.expression, (exp.UDTF, exp.Values)):
            return self._made(source, name, scope)
        names = _names(source)
        if name not in names:
            raise Untraceable(f"column `{column.sql('trino')}` can not be resolved")
        if self.scopes.get(id(source.expression)) is not source:  # a recursive query within itself
            around = source.expression.find_ancestor(exp.SetOperation)
            source = self.scopes[id(around)]
        return self.outputs(source)[names.index(name)]

    def _source(self, column: exp.Column, scope: Scope | None) -> Any:
        """The table or query that a column's name is of: one in its own query, or in one around it."""
        while scope is not None:
            if column.table in scope.sources:
                return scope.sources[column.table]
            scope = scope.parent
        raise Untraceable(f"column `{column.sql('trino')}` can not be resolved")

    def _made(self, source: Scope, name: str, around: Scope) -> Found:
        """What a column of UNNEST, LATERAL or VALUES comes from."""
        made = source.expression
        if isinstance(made, exp.Lateral):
            inner = made.this.unnest() if isinstance(made.this, exp.Subquery) else made.this
            scope = self.scopes.get(id(inner))
            if scope is not None:
                names = [each.lower() for each in made.alias_column_names] or _names(scope)
                return self.outputs(scope)[names.index(name)]
        parts = made.expressions if isinstance(made, (exp.Unnest, exp.Values)) else [made.this]
        names = [each.lower() for each in made.alias_column_names]
        if isinstance(made, exp.Unnest):
            if made.args.get("offset"):
                ordinal = made.args["offset"]
                last = ordinal.name.lower() if isinstance(ordinal, exp.Expression) else names.pop() if names else ""
                if name == last:
                    return NONE
            if len(names) == len(parts):
                parts = [parts[names.index(name)]]
        return frozenset().union(*(self._of(part, around) for part in parts))


def _names(scope: Scope) -> list[str]:
    """The columns of a query; raise ``Untraceable`` where a star is left."""
    outer = [str(name).lower() for name in scope.outer_columns]
    query: Any = scope.expression
    names = [str(each.alias_or_name).lower() for each in query.selects]
    if "*" in names:
        raise Untraceable("the columns of a `*` are not known")
    return outer if len(outer) == len(names) else names


def _schema(tables: Mapping[str, Columns]) -> dict[str, object]:
    """Tables as sqlglot takes them: by namespace, by name, by column."""
    found: dict[str, Any] = {}
    for table, columns in tables.items():
        namespace, _, name = table.partition(".")
        found.setdefault(namespace, {})[name] = {column.lower(): kind for column, kind in columns}
    return found
