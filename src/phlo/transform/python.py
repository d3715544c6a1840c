"""Models in Python: dbt's ``def model(dbt, session)`` with tables in, and a frame, an Arrow table or a relation out.

``dbt.ref`` and ``dbt.source`` give a DuckDB relation, which computes when it is read: ``.df()`` makes it a pandas
frame, ``.to_arrow_table()`` an Arrow table; ``session`` is the connection that it belongs to.
"""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from phlo.errors import PhloError, PythonModelFailed
from phlo.redaction import redact
from phlo.transform.session import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.transform.session import Session

CODE = "<python model>"
RESULT = "phlo_result"


@contextmanager
def computed(session: Session, code: str, *tables: str) -> Iterator[tuple[Any, Any]]:
    """Run a model and yield the connection, on which ``tables`` stand open too, and its rows as a relation.

    Raises ``PythonModelFailed`` with the line of the model.
    """
    with session.reading(tables) as con:
        namespace: dict[str, Any] = {"__name__": "phlo_model"}
        result = _guarded(code, lambda: _run(code, namespace, _loader(session, con), con))
        if isinstance(result, con.sql("SELECT 1").__class__):
            yield con, result
            return
        con.register(RESULT, _arrow(result))
        yield con, con.table(RESULT)


def _loader(session: Session, con: Any) -> Any:
    def load(name: str) -> Any:
        sql = f"SELECT * FROM {name}"
        session.engine.bind(con, tables_of(sql, session.dialect), session.pin())
        return con.sql(session.duckdb(sql, con))

    return load


def _run(code: str, namespace: dict[str, Any], load: Any, con: Any) -> Any:
    exec(compile(code, CODE, "exec"), namespace)
    return namespace["model"](namespace["dbtObj"](load), con)


def _guarded(code: str, run: Any) -> Any:
    try:
        return run()
    except PhloError:
        raise
    except Exception as error:  # a model is a user's code, which may raise anything
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == CODE]
        line = error.lineno if isinstance(error, SyntaxError) else frames[-1].lineno if frames else 0
        text = code.splitlines()[line - 1].strip() if line else ""
        detail = redact(f"{type(error).__name__}: {error}")
        raise PythonModelFailed(detail=detail, line=line or 0, column=0, text=text) from error


def _arrow(result: Any) -> pa.Table:
    """Read what a model returned; pandas' index is no column."""
    if isinstance(result, pa.Table):
        return result
    if isinstance(result, pa.RecordBatchReader):
        return result.read_all()  # it may hold the connection that is to read it
    if isinstance(result, pa.RecordBatch):
        return pa.Table.from_batches([result])
    if hasattr(result, "to_arrow"):  # polars
        return result.to_arrow()
    if type(result).__module__.partition(".")[0] == "pandas":
        return pa.Table.from_pandas(result, preserve_index=False)
    if hasattr(result, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(result).read_all()
    given = type(result).__name__
    raise PythonModelFailed(detail=f"it returned {given}, not a frame or a table", line=0, column=0, text="")
