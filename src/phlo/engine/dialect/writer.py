"""Writes a translated tree as DuckDB SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.generators.duckdb import DuckDBGenerator

from phlo.engine.dialect.nodes import Fragment, Native, Node
from phlo.engine.dialect.reader import PhloDuckDBText

if TYPE_CHECKING:
    from collections.abc import Callable


class PhloDuckDBGenerator(DuckDBGenerator):
    """sqlglot's DuckDB writer, with our own nodes and without its guesses about other dialects' functions."""

    TRANSFORMS: ClassVar[dict[type[Node], Callable[..., str]]] = {
        **DuckDBGenerator.TRANSFORMS,
        Fragment: lambda self, node: self.fragment_sql(node),
        Native: lambda self, node: self.native_sql(node),
    }
    for _kind in (exp.IgnoreNulls, exp.RespectNulls, exp.Cast, exp.Filter, exp.Window, exp.Bracket):
        TRANSFORMS.pop(_kind, None)

    def fragment_sql(self, expression: Fragment) -> str:
        """Fill a template with its operands."""
        template: str = expression.this
        return template.format(*(self.sql(operand) for operand in expression.expressions))

    def native_sql(self, expression: Native) -> str:
        """Write a call; IGNORE NULLS goes inside its parentheses."""
        operands = ", ".join(self.sql(operand) for operand in expression.expressions)
        nulls = " IGNORE NULLS" if isinstance(expression.parent, exp.IgnoreNulls) else ""
        return f"{expression.this}({operands}{nulls})"

    def ignorenulls_sql(self, expression: exp.IgnoreNulls) -> str:
        """Write the call, which carries the words."""
        return self.sql(expression, "this")

    def respectnulls_sql(self, expression: exp.RespectNulls) -> str:
        """Write the call: NULLs are respected anyway."""
        return self.sql(expression, "this")

    def cast_sql(self, expression: exp.Cast, safe_prefix: str | None = None) -> str:
        """Write a plain cast."""
        word = f"{safe_prefix or ''}CAST"
        return f"{word}({self.sql(expression, 'this')} AS {self.sql(expression, 'to')})"

    def filter_sql(self, expression: exp.Filter) -> str:
        """Write an aggregate with its filter."""
        return f"{self.sql(expression, 'this')} FILTER ({self.sql(expression, 'expression').strip()})"

    def window_sql(self, expression: exp.Window) -> str:
        """Write a window as the common writer does."""
        return super(DuckDBGenerator, self).window_sql(expression)

    def div_sql(self, expression: exp.Div) -> str:
        """Write a division of doubles."""
        return self.binary(expression, "/")

    def bracket_sql(self, expression: exp.Bracket) -> str:
        """Write a subscript as it is, from one."""
        inside = ", ".join(self.sql(index) for index in expression.expressions)
        return f"{self.sql(expression, 'this')}[{inside}]"


class PhloDuckDB(DuckDB):
    """DuckDB, written by the writer above."""

    INDEX_OFFSET = 0
    Generator = PhloDuckDBGenerator


def write(tree: Node) -> str:
    """Write a translated tree; every name is quoted, since the two dialects reserve different words."""
    return str(PhloDuckDB().generate(tree, identify=True, copy=False, comments=False))


def write_as_read(tree: Node) -> str:
    """Write a tree that was read as DuckDB SQL."""
    return str(PhloDuckDBText().generate(tree, comments=False))
