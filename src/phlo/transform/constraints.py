"""The constraints of a model's contract, checked on its rows before any of them is written.

Iceberg's tables know no constraints beyond types. dbt's are promises about what a model returns, so they are queries
on it here: the first one that is broken fails the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phlo.errors import ConstraintBroken, InvalidModelConfig
from phlo.iceberg.types import quoted
from phlo.transform.session import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from phlo.transform.session import Session

CHECKED = "phlo_checked"


@dataclass(frozen=True)
class Constraint:
    """One promise about a model's rows."""

    kind: str
    """not_null, unique, primary_key, check or foreign_key."""
    columns: tuple[str, ...] = ()
    expression: str = ""
    """check: what holds of each row; foreign_key, the old way: ``other (column)``."""
    to: str = ""
    to_columns: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = self.expression or (f"{self.to} ({', '.join(self.to_columns)})" if self.to else "")
        return " ".join(filter(None, (self.kind, f"({', '.join(self.columns)})" if self.columns else "", more)))


def read_constraints(model: Mapping[str, Any]) -> list[Constraint]:
    """Read them from dbt's model: those of its columns, then its own; ``custom`` ones promise nothing we know."""
    columns = model.get("columns") or {}
    found = [_read(given, [name]) for name, column in columns.items() for given in column.get("constraints") or ()]
    found += [_read(given, given.get("columns") or ()) for given in model.get("constraints") or ()]
    return [each for each in found if each.kind != "custom"]


def insist_on_constraints(session: Session, con: Any, name: str, relation: Any, wanted: Iterable[Constraint]) -> Any:
    """Compute a relation once, look for rows that break a constraint, and return what was computed.

    Raises ``ConstraintBroken``.
    """
    wanted = list(wanted)
    if not wanted:
        return relation
    relation.create(CHECKED)
    check_rows(session, con, name, CHECKED, wanted)
    return con.table(CHECKED)


def check_rows(session: Session, con: Any, name: str, table: str, wanted: Iterable[Constraint]) -> None:
    """Raise ``ConstraintBroken`` for the first constraint that rows of a table on the connection break."""
    for constraint in wanted:
        for broken in _broken(constraint, table):
            sql = f"SELECT count(*) FROM {broken}"
            others = [each for each in tables_of(sql, session.dialect) if "." in each]
            session.engine.bind(con, others, session.pin())
            count = con.sql(session.duckdb(sql, con)).fetchall()[0][0]
            if count:
                raise ConstraintBroken(count=count, table=name, constraint=f"`{constraint}`")


def _broken(constraint: Constraint, table: str) -> Iterator[str]:
    """What to count rows of, in the project's dialect."""
    listed = ", ".join(map(quoted, constraint.columns))
    if constraint.kind in ("not_null", "primary_key"):
        yield f"{table} WHERE " + " OR ".join(f"{quoted(column)} IS NULL" for column in constraint.columns)
    if constraint.kind in ("unique", "primary_key"):
        known = " AND ".join(f"{quoted(column)} IS NOT NULL" for column in constraint.columns)
        yield f"(SELECT {listed} FROM {table} WHERE {known} GROUP BY {listed} HAVING count(*) > 1) AS repeated"
    if constraint.kind == "check":
        yield f"{table} WHERE NOT ({constraint.expression})"
    if constraint.kind == "foreign_key" and constraint.to:
        pairs = zip(constraint.columns, constraint.to_columns or constraint.columns, strict=True)
        same = " AND ".join(f"t.{quoted(theirs)} = b.{quoted(ours)}" for ours, theirs in pairs)
        known = " AND ".join(f"b.{quoted(column)} IS NOT NULL" for column in constraint.columns)
        yield f"{table} AS b WHERE {known} AND NOT EXISTS (SELECT 1 FROM {constraint.to} AS t WHERE {same})"


def _read(given: Mapping[str, Any], columns: Iterable[str]) -> Constraint:
    kind, expression = str(given.get("type")).removeprefix("ConstraintType."), str(given.get("expression") or "")
    if kind == "check" and not expression:
        raise InvalidModelConfig(option="constraints", detail="a check without its expression", fix="give it one")
    to, to_columns = str(given.get("to") or ""), tuple(given.get("to_columns") or ())
    return Constraint(kind, tuple(columns), expression, to, to_columns)
