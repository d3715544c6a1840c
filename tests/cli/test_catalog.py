"""`phlo catalog` and `phlo rejected`, as their user sees them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from pyiceberg.table import StaticTable

if TYPE_CHECKING:
    from tests.conftest import Shop

DAY, NEXT = "2024-01-20", "2024-01-21"

STRICT = """
import pandera.pandas as pa
import phlo


class Reading(pa.DataFrameModel):
    id: str
    sgv: int = pa.Field(ge=1)


@phlo.ingestion(unique_key="id", validation_schema=Reading)
def checked(partition_date: str):
    return [{"id": "a", "sgv": 5}, {"id": "b", "sgv": 0}, {"id": "c", "note": "x" * 300}]
"""


@pytest.fixture
def loaded(shop: Shop) -> Shop:
    """Two days of readings, in two publishes."""
    shop.deliver(DAY, [{"id": "a", "sgv": 110}, {"id": "b", "sgv": 120}])
    shop.deliver(NEXT, [{"id": "c", "sgv": 130}])
    for day in (DAY, NEXT):
        assert shop.call("materialize", "readings", "--partition", day).code == 0
    return shop


@pytest.fixture
def rejected(shop: Shop) -> Shop:
    """A table with one good row and two rejected ones."""
    (shop.root / "workflows/ingestion/checked.py").write_text(STRICT)
    assert shop.call("materialize", "checked", "--partition", DAY).code == 0
    return shop


# ── catalog ──────────────────────────────────────────────────────────────────────────────────────────────


def test_tables_are_listed_with_their_sizes(loaded: Shop) -> None:
    done = loaded.call("catalog", "tables")
    header, _, line = done.out.splitlines()
    assert header.split() == ["table", "kind", "rows", "files", "size", "modified", "(UTC)"]
    assert re.fullmatch(r"raw\.readings  table +3 +\d+  [\d.]+ K?B  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line)


def test_tables_as_json_are_records(loaded: Shop) -> None:
    (record,) = loaded.call("catalog", "tables", "--json").records
    assert (record["name"], record["kind"], record["rows"]) == ("raw.readings", "table", 3)
    assert record["modified"].endswith("+00:00")
    assert record["bytes"] > 0


def test_an_empty_lake_says_what_to_do(shop: Shop) -> None:
    done = shop.call("catalog", "tables")
    assert (done.code, done.out) == (0, "")
    assert "`phlo run`" in done.err
    assert shop.call("catalog", "tables", "--json").records == []


def test_a_schema_without_tables_is_an_error(loaded: Shop) -> None:
    done = loaded.call("catalog", "tables", "--schema", "rav")
    assert done.code == 1
    assert "error[unknown-namespace]" in done.err
    assert "did you mean `raw`?" in done.err
    assert loaded.call("catalog", "tables", "--schema", "raw").code == 0


def test_a_table_is_described_as_in_the_spec(loaded: Shop) -> None:
    text = loaded.call("catalog", "describe", "raw.readings").out
    location = loaded.root / ".phlo/state/warehouse/raw"
    pattern = rf"""Table: raw\.readings
Schema: raw
Location: {location}/readings-\w+
Metadata: {location}/readings-\w+/metadata/\d+-[\w-]+\.metadata\.json
Format: Iceberg

Statistics:
  Total Files:    \d+
  Total Rows:     3
  Total Size:     [\d.]+ K?B
  Last Modified:  (\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d)

Partitioning:
  - partition_date \(monthly\)

Current Snapshot:
  Snapshot ID:  \d+
  Timestamp:    \1
  Operation:    \w+

Columns:
  id               string
  sgv              long
  partition_date   date
  _phlo_load_id    string
  _phlo_loaded_at  timestamptz
"""
    assert re.fullmatch(pattern, text), text


def test_a_short_name_will_do_and_json_has_everything(loaded: Shop) -> None:
    record = loaded.call("catalog", "describe", "readings", "--json").records
    assert record["name"] == "raw.readings"
    assert record["partitioning"] == ["partition_date (monthly)"]
    assert record["snapshot"]["rows"] == 3
    assert {"name": "sgv", "type": "long"} in record["columns"]


def test_the_metadata_file_it_names_is_the_table_to_other_readers_also_after_an_undo(loaded: Shop) -> None:
    before = opened_elsewhere(loaded)
    loaded.deliver(NEXT, [{"id": "c", "sgv": 131}])
    assert loaded.call("materialize", "readings", "--partition", NEXT).code == 0
    assert opened_elsewhere(loaded) == [("a", 110), ("b", 120), ("c", 131)]
    files = (loaded.root / ".phlo/state/warehouse/raw").rglob("*.parquet")
    assert sum(pq.read_metadata(file).num_rows for file in files) > 3  # some are of earlier states
    assert loaded.call("undo", "--yes").code == 0
    assert opened_elsewhere(loaded) == before == [("a", 110), ("b", 120), ("c", 130)]


def opened_elsewhere(shop: Shop) -> list[tuple[str, int]]:
    """The rows of the table as the guide on taking the data elsewhere reads them: without Phlo."""
    path = shop.call("catalog", "describe", "raw.readings", "--json").records["metadata"]
    rows = StaticTable.from_metadata(path).scan().to_arrow()
    return sorted(zip(rows["id"].to_pylist(), rows["sgv"].to_pylist(), strict=True))


def test_an_unknown_table_is_an_error_with_the_nearest(loaded: Shop) -> None:
    for command in ("describe", "history"):
        done = loaded.call("catalog", command, "raw.reading")
        assert done.code == 1
        assert "There is no table `raw.reading` on `main`; did you mean `raw.readings`?" in done.err


def test_snapshots_are_listed_newest_first_and_limited(loaded: Shop) -> None:
    records = loaded.call("catalog", "history", "raw.readings", "--json").records
    assert [record["rows"] for record in records] == [3, 2]
    lines = loaded.call("catalog", "history", "raw.readings", "--limit", "1").out.splitlines()
    assert len(lines) == 3
    assert str(records[0]["id"]) in lines[2]
    assert loaded.call("catalog", "history", "raw.readings", "--limit", "0").code == 2


def test_the_state_of_an_earlier_time_can_be_described(loaded: Shop) -> None:
    first = loaded.call("history", "--json").records[-1]["at"]
    assert loaded.call("catalog", "describe", "readings", "--as-of", first, "--json").records["rows"] == 2
    assert len(loaded.call("catalog", "history", "readings", "--as-of", first, "--json").records) == 1


def test_a_ref_can_be_looked_at(loaded: Shop) -> None:
    loaded.deliver(NEXT, [{"id": None, "sgv": 1}, {"id": "z", "sgv": 1}])
    (loaded.root / "workflows/ingestion/shop.py").write_text(
        (loaded.root / "workflows/ingestion/shop.py")
        .read_text()
        .replace("NullCheck(columns", "NullCheck(tolerance=0, columns")
        + '\n\n@phlo.quality(table="raw.readings", checks=[NullCheck("nothing")])\ndef broken(): ...\n'
    )
    assert loaded.call("materialize", "readings", "--partition", NEXT).code == 1
    (ref,) = loaded.call("ref", "list", "--json").records
    assert loaded.call("catalog", "tables", "--ref", ref["name"], "--json").records[0]["rows"] == 4
    assert loaded.call("catalog", "tables", "--json").records[0]["rows"] == 3
    assert loaded.call("catalog", "tables", "--ref", "run-x").code == 1
    assert loaded.call("catalog", "tables", "--ref", ref["name"], "--as-of", "2024-01-01").code == 2


# ── rejected ─────────────────────────────────────────────────────────────────────────────────────────────


def test_rejected_rows_are_counted_by_table(rejected: Shop) -> None:
    line = rejected.call("rejected", "list").out.splitlines()[2]
    assert re.match(r"raw\.checked +2 +2024-01-20 +sgv \(2\) +`sgv` ", line)
    (record,) = rejected.call("rejected", "list", "--json").records
    assert (record["table"], record["rows"], record["columns"]) == ("raw.checked", 2, [["sgv", 2]])


def test_no_rejected_rows_are_said_to_be_none(loaded: Shop) -> None:
    done = loaded.call("rejected", "list")
    assert (done.code, done.out) == (0, "")
    assert "There are no rejected rows on main." in done.err
    assert "readings has no rejected rows." in loaded.call("rejected", "show", "readings").err
    assert loaded.call("rejected", "show", "readings", "--json").records == []


def test_rejected_rows_are_shown_with_their_reasons(rejected: Shop) -> None:
    done = rejected.call("rejected", "show", "checked")
    lines = done.out.splitlines()
    assert lines[0].split() == ["partition", "reason", "row"]
    assert any(re.match(rf'{DAY} +`sgv` = `0` is not at least 1 +{{"sgv": 0, "id": "b"}}', line) for line in lines)
    long = next(line for line in lines if '"c"' in line)
    assert long.endswith("…")
    assert "(2 rows)" in done.err


def test_a_long_row_is_shown_from_its_wrong_field_on(shop: Shop) -> None:
    source = STRICT.replace("def checked(partition_date: str):", "def long(partition_date: str):")
    source = source.replace('{"id": "a", "sgv": 5}', '{"note": "x" * 300, "id": "a", "sgv": "high"}')
    (shop.root / "workflows/ingestion/long.py").write_text(source)
    shop.call("materialize", "long", "--partition", DAY)
    assert '{"sgv": "high", "note": "xxx' in shop.call("rejected", "show", "long").out


def test_rejected_rows_as_json_are_whole(rejected: Shop) -> None:
    records = rejected.call("rejected", "show", "raw.checked", "--json").records
    whole = next(record["row"] for record in records if record["row"]["id"] == "c")
    assert whole == {"id": "c", "note": "x" * 300}
    assert json.dumps(records)


def test_more_rows_than_the_limit_are_mentioned(rejected: Shop) -> None:
    done = rejected.call("rejected", "show", "checked", "--limit", "1")
    assert len(done.out.splitlines()) == 3
    assert "there are more" in done.err
    assert len(rejected.call("rejected", "show", "checked", "--limit", "1", "--json").records) == 1


def test_rejected_rows_of_one_day_can_be_shown(rejected: Shop) -> None:
    assert len(rejected.call("rejected", "show", "checked", "--partition", DAY, "--json").records) == 2
    assert "on 2024-01-21" in rejected.call("rejected", "show", "checked", "--partition", NEXT).err
    wrong = rejected.call("rejected", "show", "checked", "--partition", "20.1.2024")
    assert (wrong.code, "`20.1.2024` is not a date" in wrong.err) == (2, True)


def test_rejected_rows_of_an_unknown_table_are_an_error(rejected: Shop) -> None:
    done = rejected.call("rejected", "show", "cheked")
    assert done.code == 1
    assert "did you mean `checked`?" in done.err
