"""SQL that is not a query, such as hooks and macros of packages run it, done on the run's ref.

A statement becomes one write of the catalog's: what it leaves of a table is computed as a query and put in its place,
so that it is published, or thrown away, with the rest of the run. Rights are the platform's affair and pass without
effect, as do transactions: the ref is the transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from phlo.engine.dialect import parse
from phlo.errors import UnknownTable, UnsupportedStatement, nearest
from phlo.iceberg.types import quoted
from phlo.protocols import MAIN
from phlo.transform.write import Built, append_table, columns, create_view, drop, replace_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from phlo.transform.session import Session

Node = Any

WITHOUT_EFFECT = (exp.Grant, exp.Revoke, exp.Transaction, exp.Commit, exp.Rollback, exp.Analyze)


def run_statement(session: Session, sql: str, say: Callable[[str], None]) -> int:
    """Run one statement and return how many rows it wrote.

    Raises ``UnsupportedStatement`` for one of another kind, and on main, which only a publish changes.
    """
    tree = parse(sql, session.dialect)
    if isinstance(tree, WITHOUT_EFFECT):
        if isinstance(tree, exp.Grant | exp.Revoke):
            say(f"`{_shortened(sql)}` has no effect: a lake's files and servers know their users, its tables do not")
        return 0
    write = next((write for kind, write in _WRITES.items() if isinstance(tree, kind)), None)
    if write is None or session.ref == MAIN:
        raise _refused(sql)
    built = write(session, tree, sql)
    return built.rows or 0


def _create(session: Session, tree: Node, sql: str) -> Built:
    kind, target = str(tree.args.get("kind")), tree.this
    if kind == "SCHEMA":
        return Built(0)  # it is there as soon as it has a table
    if kind not in ("TABLE", "VIEW"):
        raise _refused(sql)
    table = target.this if isinstance(target, exp.Schema) else target
    name, there = _name(table, sql), _known(session, table, sql)
    if tree.args.get("exists") and there:
        return Built(0)
    if there and not tree.args.get("replace"):
        raise _refused(sql, f"`{name}` is there already")
    if tree.expression is None:
        return replace_table(session, name, _empty(target, session.dialect))
    query = _text(tree.expression.unnest(), session)
    return create_view(session, name, query) if kind == "VIEW" else replace_table(session, name, query)


def _drop(session: Session, tree: Node, sql: str) -> Built:
    kind, pin = str(tree.args.get("kind")), session.pin()
    for table in tree.args.get("tables") or [tree.this]:
        if kind == "SCHEMA":
            _drop_schema(session, table.db or table.name, sql, cascade=bool(tree.args.get("cascade")))
            continue
        known = _known(session, table, sql)
        if known is None and tree.args.get("exists"):
            continue
        if known is None:
            raise _unknown(session, _name(table, sql))
        if (known in pin.views) != (kind == "VIEW"):
            raise _refused(sql, f"`{known}` is {_kind(session, known)}")
        drop(session, known)
    return Built(0)


def _drop_schema(session: Session, schema: str, sql: str, *, cascade: bool) -> None:
    pin = session.pin()
    held = [name for name in (*pin.tables, *pin.views) if name.split(".")[0].lower() == schema.lower()]
    if held and not cascade:
        raise _refused(sql, f"`{held[0]}` is in it, and it does not say cascade")
    for name in held:
        drop(session, name)


def _insert(session: Session, tree: Node, sql: str) -> Built:
    target, named = tree.this, None
    if isinstance(target, exp.Schema):
        named = [column.name for column in target.expressions]
        target = target.this
    name = _writable(session, target, sql)
    kinds = dict(columns(session, name))
    given = named or list(kinds)
    position = {column.lower(): number for number, column in enumerate(given)}
    selected = ", ".join(
        f"CAST({f'c{position[column.lower()]}' if column.lower() in position else 'NULL'} AS {kind}) "
        f"AS {quoted(column)}"
        for column, kind in kinds.items()
    )
    aliases = ", ".join(f"c{number}" for number in range(len(given)))
    query = _text(tree.expression, session)
    return append_table(session, name, f"SELECT {selected} FROM (\n{query}\n) AS phlo_rows ({aliases})")


def _delete(session: Session, tree: Node, sql: str) -> Built:
    name, where = _writable(session, tree.this, sql), tree.args.get("where")
    kept = f"NOT coalesce({_text(where.this, session)}, false)" if where else "false"
    return _rewrite(session, name, tree.this, "*", kept)


def _update(session: Session, tree: Node, sql: str) -> Built:
    if tree.args.get("from_") or tree.args.get("from"):
        raise _refused(sql)
    name, where = _writable(session, tree.this, sql), tree.args.get("where")
    new = {each.this.name.lower(): _text(each.expression, session) for each in tree.expressions}
    condition = _text(where.this, session) if where else "true"

    def value(column: str, kind: str) -> str:
        kept = quoted(column)
        if column.lower() not in new:
            return kept
        return f"CASE WHEN {condition} THEN CAST({new[column.lower()]} AS {kind}) ELSE {kept} END AS {kept}"

    selected = ", ".join(value(column, kind) for column, kind in columns(session, name))
    return _rewrite(session, name, tree.this, selected, "true")


def _truncate(session: Session, tree: Node, sql: str) -> Built:
    for table in tree.expressions:
        _rewrite(session, _writable(session, table, sql), table, "*", "false")
    return Built(0)


def _alter(session: Session, tree: Node, sql: str) -> Built:
    table = session.catalog.load(_writable(session, tree.this, sql), session.ref)
    for action in tree.args["actions"]:
        if isinstance(action, exp.ColumnDef):
            _add_column(session, _writable(session, tree.this, sql), action)
        elif isinstance(action, exp.Drop):
            with table.update_schema() as update:
                for column in action.args.get("tables") or [action.this]:
                    update.delete_column(column.name)
        elif isinstance(action, exp.RenameColumn):
            with table.update_schema() as update:
                update.rename_column(action.this.name, action.args["to"].name)
        else:
            raise _refused(sql)
    return Built(0)


def _add_column(session: Session, name: str, column: Node) -> None:
    """Widen the table by an empty batch that has the column, as an incremental model does."""
    kind = column.args["kind"].sql(dialect=session.dialect)
    append_table(session, name, f"SELECT CAST(NULL AS {kind}) AS {quoted(column.name)} WHERE false")


def _comment(session: Session, tree: Node, sql: str) -> Built:
    text, target = tree.expression.name, tree.this
    if str(tree.args.get("kind")).lower() == "column":
        owner = exp.Table(this=target.args["table"], db=target.args.get("db"))
        comment(session, _existing(session, owner, sql), None, {target.name: text})
    else:
        comment(session, _existing(session, target, sql), text, {})
    return Built(0)


_WRITES: dict[type[Any], Callable[[Session, Node, str], Built]] = {
    exp.Create: _create,
    exp.Drop: _drop,
    exp.Insert: _insert,
    exp.Delete: _delete,
    exp.Update: _update,
    exp.TruncateTable: _truncate,
    exp.Alter: _alter,
    exp.Comment: _comment,
}


def comment(session: Session, name: str, text: str | None, columns: dict[str, str]) -> None:
    """Keep what a table and its columns mean in Iceberg: the property ``comment``, and the columns' docs."""
    if name not in session.pin().tables:
        return
    table = session.catalog.load(name, session.ref)
    if text is not None and table.properties.get("comment", "") != text:
        with table.transaction() as change:
            change.set_properties({"comment": text})
    known = {field.name.lower(): field for field in table.schema().fields}
    changed = {
        known[column.lower()].name: doc
        for column, doc in columns.items()
        if column.lower() in known and (known[column.lower()].doc or "") != doc
    }
    if changed:
        table = session.catalog.load(name, session.ref)
        with table.update_schema() as update:
            for column, doc in changed.items():
                update.update_column(column, doc=doc)


def _rewrite(session: Session, name: str, table: Node, selected: str, where: str) -> Built:
    alias = quoted(table.alias) if table.alias else quoted(name.split(".")[1])
    return replace_table(session, name, f"SELECT {selected} FROM {_quoted(name)} AS {alias} WHERE {where}")


def _empty(target: Node, dialect: str) -> str:
    defined = [each for each in target.expressions if isinstance(each, exp.ColumnDef)]
    typed = (f"CAST(NULL AS {each.args['kind'].sql(dialect=dialect)}) AS {quoted(each.name)}" for each in defined)
    return f"SELECT {', '.join(typed)} WHERE false"


def _text(tree: Node, session: Session) -> str:
    return str(tree.sql(dialect=session.dialect))


def _name(table: Node, sql: str) -> str:
    if not table.db:
        raise _refused(sql, f"it does not say the schema of `{table.name}`")
    return f"{table.db}.{table.name}"


def _known(session: Session, table: Node, sql: str) -> str | None:
    name, pin = _name(table, sql), session.pin()
    return next((known for known in (*pin.tables, *pin.views) if known.lower() == name.lower()), None)


def _existing(session: Session, table: Node, sql: str) -> str:
    known = _known(session, table, sql)
    if known is None:
        raise _unknown(session, _name(table, sql))
    return known


def _writable(session: Session, table: Node, sql: str) -> str:
    """The table that a statement changes: a view has no rows of its own."""
    name = _existing(session, table, sql)
    if name in session.pin().views:
        raise _refused(sql, f"`{name}` is a view")
    return name


def _kind(session: Session, name: str) -> str:
    return "a view" if name in session.pin().views else "a table"


def _unknown(session: Session, name: str) -> UnknownTable:
    pin = session.pin()
    return UnknownTable(name=name, ref=pin.ref, nearest=nearest(name, [*pin.tables, *pin.views]))


def _quoted(name: str) -> str:
    return ".".join(map(quoted, name.split(".")))


def _refused(sql: str, why: str = "") -> UnsupportedStatement:
    return UnsupportedStatement(statement=_shortened(sql), why=f": {why}" if why else "")


def _shortened(sql: str) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= 60 else line[:59] + "…"
