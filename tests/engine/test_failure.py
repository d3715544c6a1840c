"""DuckDB's errors in words about the user's SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest

from phlo.engine.failure import explained, query_failed
from phlo.errors import MissingTableFiles, QueryFailed, UnreadableFile

if TYPE_CHECKING:
    from pathlib import Path

    from phlo.errors import PhloError


def failure(sql: str, translated: str) -> QueryFailed:
    """What the user hears when DuckDB refuses a translation."""
    with pytest.raises(QueryFailed) as found, duckdb.connect() as con, explained(sql):
        con.execute(translated)
    return found.value


def test_an_error_is_shown_on_the_line_that_the_engine_points_at() -> None:
    error = failure("SELECT a,\n  Bad_Column\nFROM t", "SELECT a, Bad_Column FROM (SELECT 1 AS a)")
    assert error.values["detail"] == "column `Bad_Column` cannot be resolved; did you mean `a`?"
    assert error.next_step == "line 2: `Bad_Column`"
    assert [error.values[key] for key in ("line", "column", "text")] == [2, 3, "Bad_Column"]


def test_an_error_of_a_short_query_shows_it() -> None:
    assert failure("SELECT 1 +", "SELECT nothing_there").next_step == "line 1: `SELECT 1 +`"


def test_an_error_that_points_at_nothing_of_the_user_s_shows_the_query() -> None:
    error = query_failed(ValueError("Out of Memory Error: 1 GB"), "SELECT a\nFROM t")
    assert (str(error), error.next_step) == (
        "The query failed: 1 GB",
        "in `SELECT a FROM t`",
    )
    assert [error.values[key] for key in ("line", "column", "text")] == [0, 0, ""]


def test_an_empty_query_has_no_line_to_show() -> None:
    assert query_failed(ValueError("Parser Error: nothing"), "").next_step == "line 1: ``"


@pytest.mark.parametrize(
    ("content", "error"),
    [(None, MissingTableFiles), (b"short", UnreadableFile), (b"x" * 99, UnreadableFile)],
    ids=["gone", "short", "damaged"],
)
def test_a_table_s_file_that_is_gone_or_damaged_is_named(
    content: bytes | None, error: type[PhloError], tmp_path: Path
) -> None:
    file = tmp_path / "raw" / "g-0123456789ab" / "data" / "1.parquet"
    file.parent.mkdir(parents=True)
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(error) as found, duckdb.connect() as con, explained("SELECT n FROM raw.g"):
        con.execute(f"SELECT * FROM read_parquet('{file}')")
    assert "`raw.g`" in str(found.value)
    assert f"`{file}`" in str(found.value)


def test_a_file_that_could_not_be_written_is_not_said_to_be_damaged(tmp_path: Path) -> None:
    file = tmp_path / "raw" / "g-0123456789ab" / "data" / "1.parquet"
    with pytest.raises(QueryFailed), duckdb.connect() as con, explained("SELECT 1"):
        con.execute(f"COPY (SELECT 1) TO '{file}'")


def test_what_is_no_error_of_the_engine_passes() -> None:
    with pytest.raises(KeyError), explained("SELECT 1"):
        raise KeyError("a")
