"""SQL that may not or can not run."""

from __future__ import annotations

from phlo.errors.base import PhloError


class QueryError(PhloError):
    """SQL that may not or can not run."""

    code = "query"


class QuerySyntax(QueryError):
    """SQL that does not parse."""

    code = "query-syntax"
    message = "Line {line}, column {column}: {detail}, in `{text}`"
    hint = "the project's SQL is Trino's, unless [tool.phlo] sets dialect"


class UnsupportedFunction(QueryError):
    """A function, type or clause of the dialect that the embedded engine has no equal of."""

    code = "unsupported-function"
    message = "`{name}` (line {line}) is not available on the embedded engine{nearest}"
    hint = "{fix}"


class TypesDiffer(QueryError):
    """Values of types that the dialect does not bring together."""

    code = "types-differ"
    message = "Line {line}: `{left}` {sign} `{right}` is not possible"
    hint = "cast one of them, or write a literal of the other's type: DATE '2024-01-31'"


class QueryNotAllowed(QueryError):
    """A query that does more than read the catalog's tables."""

    code = "query-not-allowed"
    message = "`{what}` is not allowed in a query: {why}"
    hint = "queries read the catalog's tables, as `phlo catalog tables` lists them; models and workflows write"


class UnknownColumn(QueryError):
    """A column that the table does not have."""

    code = "unknown-column"
    message = "There is no column `{name}` in `{table}`{nearest}"
    hint = "`phlo catalog describe {table}` lists its columns"


class QueryFailed(QueryError):
    """A query that the engine could not run."""

    code = "query-failed"
    message = "The query failed: {detail}"
    hint = "{where}"
