from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from loading import DAY, ingestion

from phlo.declarations import SilentReporter
from phlo.errors import SourceFunctionFailed, StagingFailed, UnusableRows
from phlo.load.stage import Staged, open_staged, stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from phlo.declarations import Ingestion


def staged(what: Ingestion, folder: Path, load_id: str = "load-1", day: dt.date | None = DAY) -> Staged:
    return stage(what, day, folder, load_id, SilentReporter())


def texts(each: Staged) -> list[Any]:
    return [json.loads(text) for _, batch in each.batches(2) for text in batch["row"].to_pylist()]


def test_rows_are_kept_without_loss_in_the_order_they_came(tmp_path: Path) -> None:
    rows = [{"a": n, "text": "é\u0000\U0001f600", "deep": {"x": [n, None]}, "big": 2**70} for n in range(5)]
    done = staged(ingestion(rows=rows), tmp_path / "stage")
    assert (done.rows, done.table, done.partition, done.load_id) == (5, "raw.readings", DAY, "load-1")
    assert texts(done) == rows


def test_half_characters_are_kept_too(tmp_path: Path) -> None:
    rows = [{"a": "\ud800"}, {"a": "fine é"}]
    assert texts(staged(ingestion(rows=rows), tmp_path / "stage")) == rows


def test_arrow_is_kept_as_it_is(tmp_path: Path) -> None:
    table = pa.table({"n": pa.array([1, None], pa.int16()), "at": pa.array([0, 1], pa.timestamp("ms", "UTC"))})
    done = staged(ingestion(rows=table), tmp_path / "stage")
    (each,) = done.batches(10)
    assert each[0] == "arrow"
    assert pa.table(each[1]) == table


def test_dicts_and_arrow_of_several_schemas_are_parts_in_order(tmp_path: Path) -> None:
    pages = [{"n": 1}, pa.table({"n": [2]}), pa.table({"n": [3]}), pa.table({"n": ["4"]}), [{"n": 5}]]
    done = staged(ingestion(rows=pages), tmp_path / "stage")
    assert [(part.kind, part.rows) for part in done.parts] == [("json", 1), ("arrow", 2), ("arrow", 1), ("json", 1)]
    assert done.rows == 5


def test_an_empty_load_is_a_complete_stage(tmp_path: Path) -> None:
    done = staged(ingestion(rows=None), tmp_path / "stage")
    assert (done.rows, done.parts, list(done.batches(10))) == (0, (), [])
    assert open_staged(tmp_path / "stage") == done


def test_a_load_without_a_partition_is_staged_and_opened(tmp_path: Path) -> None:
    done = staged(ingestion(rows=[{"n": 1}], partitioned=False), tmp_path / "stage", day=None)
    assert done.partition is None
    assert open_staged(tmp_path / "stage") == done


def counting(rows: list[Any]) -> tuple[Ingestion, list[str]]:
    calls: list[str] = []

    def function(partition_date: str) -> list[Any]:
        calls.append(partition_date)
        return rows

    return ingestion(function), calls


def test_a_complete_stage_is_used_again_and_keeps_its_time(tmp_path: Path) -> None:
    what, calls = counting([{"n": 1}])
    first = staged(what, tmp_path / "stage")
    assert staged(what, tmp_path / "stage") == first
    assert calls == ["2024-01-20"]
    assert first.staged_at.tzinfo is not None


def test_the_stage_of_another_load_is_extracted_again(tmp_path: Path) -> None:
    what, calls = counting([{"n": 1}])
    staged(what, tmp_path / "stage", "load-1")
    assert staged(what, tmp_path / "stage", "load-2").load_id == "load-2"
    assert len(calls) == 2


def test_a_stage_whose_files_are_not_whole_is_extracted_again(tmp_path: Path) -> None:
    what, calls = counting([{"n": 1}])
    done = staged(what, tmp_path / "stage")
    file = done.folder / done.parts[0].file
    file.write_bytes(file.read_bytes()[:-7])
    assert open_staged(done.folder) is None
    assert texts(staged(what, tmp_path / "stage")) == [{"n": 1}]
    (done.folder / "manifest.json").write_text("{")
    assert staged(what, tmp_path / "stage").rows == 1
    assert len(calls) == 3


def test_a_source_that_dies_leaves_no_stage(tmp_path: Path) -> None:
    def dies(partition_date: str) -> Iterator[Any]:
        yield pa.table({"n": list(range(100))})
        raise RuntimeError("gone")

    with pytest.raises(SourceFunctionFailed):
        staged(ingestion(dies), tmp_path / "stage")
    assert list(tmp_path.iterdir()) == []


def test_what_was_left_unfinished_is_not_taken_for_a_stage(tmp_path: Path) -> None:
    leftover = tmp_path / "stage.1a2b3c4d.unfinished"
    leftover.mkdir()
    (leftover / "part-0000.parquet").write_bytes(b"half")
    assert texts(staged(ingestion(rows=[{"n": 1}]), tmp_path / "stage")) == [{"n": 1}]


def test_an_attempt_that_was_given_up_does_not_disturb_the_next(tmp_path: Path) -> None:
    """It sits in its source; the next attempt stages the load, and then it goes on."""
    others: list[Staged] = []

    def slow(partition_date: str) -> Iterator[Any]:
        yield {"n": 1}
        if not others:
            others.append(staged(ingestion(rows=[{"n": 2}]), tmp_path / "stage"))
        yield {"n": 3}

    first = staged(ingestion(slow), tmp_path / "stage")
    assert first == others[0]
    assert texts(first) == [{"n": 2}]
    assert [path.name for path in tmp_path.iterdir()] == ["stage"]


@pytest.mark.parametrize("when", ["writing", "between parts", "before the manifest"])
def test_a_process_killed_at_any_time_leaves_no_stage_that_is_taken_for_complete(tmp_path: Path, when: str) -> None:
    code = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import pyarrow as pa
        from loading import DAY, ingestion
        from phlo.declarations import SilentReporter
        from phlo.load import stage as module

        def die(*_):
            os.kill(os.getpid(), signal.SIGKILL)

        def rows(partition_date):
            yield {{"n": 1}}
            yield pa.table({{"n": [2]}})
            if {when!r} == "between parts":
                die()
            yield {{"n": 3}}

        if {when!r} == "writing":
            module._Writer.add_batch = die
        if {when!r} == "before the manifest":
            module.os.replace = die
        module.stage(ingestion(rows), DAY, Path({str(tmp_path / "stage")!r}), "load-1", SilentReporter())
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert open_staged(tmp_path / "stage") is None
    assert texts(staged(ingestion(rows=[{"n": 9}]), tmp_path / "stage")) == [{"n": 9}]


def test_partitions_can_be_staged_in_several_threads(tmp_path: Path) -> None:
    def many(partition_date: str) -> Iterator[dict[str, Any]]:
        return ({"day": partition_date, "n": n} for n in range(2000))

    days = [DAY + dt.timedelta(days=n) for n in range(6)]
    threads = [
        threading.Thread(target=stage, args=(ingestion(many), day, tmp_path / str(day), f"l{day}", SilentReporter()))
        for day in days
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for day in days:
        done = open_staged(tmp_path / str(day))
        assert done is not None
        assert texts(done) == [{"day": str(day), "n": n} for n in range(2000)]


def test_a_row_that_is_no_json_is_an_error_that_names_the_function(tmp_path: Path) -> None:
    row: dict[str, Any] = {}
    row["self"] = row
    with pytest.raises(UnusableRows, match="can't be written as JSON") as failure:
        staged(ingestion(rows=[row]), tmp_path / "stage")
    assert "loading.py" in failure.value.next_step


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_an_error_that_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    real = pq.ParquetWriter
    monkeypatch.setattr(pq, "ParquetWriter", lambda file, *args, **options: real("/dev/full", *args, **options))
    with pytest.raises(StagingFailed, match="No space left on device") as failure:
        staged(ingestion(rows=[{"n": 1}]), tmp_path / "stage")
    assert str(tmp_path / "stage") in str(failure.value)
    assert failure.value.next_step == "make room on the disk; nothing was published"


def test_a_folder_that_can_not_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StagingFailed, match="Not a directory"):
        staged(ingestion(rows=[{"n": 1}]), tmp_path / "file" / "stage")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """Four times the rows take not much more memory: they pass through, to disk and through validation."""
    code = """
        import resource, sys, tempfile
        from pathlib import Path
        sys.path.insert(0, sys.argv[1])
        import pandera.pandas as pa
        from loading import DAY, ingestion
        from phlo.declarations import SilentReporter
        from phlo.load.spool import Spool
        from phlo.load.stage import stage
        from phlo.load import validate as validation
        from phlo.load.validate import good_schema, rejected_schema, validate
        from phlo.schemas.model import read_model

        class Model(pa.DataFrameModel):
            _id: str
            sgv: int = pa.Field(ge=0)
            text: str

        def rows(partition_date):
            return ({"_id": f"{n:024}", "sgv": n % 400 - 1, "text": "x" * 3000} for n in range(int(sys.argv[2])))

        validation.BATCH = 2_000
        schema, what = read_model(Model), ingestion(rows, validation_schema=Model)
        with tempfile.TemporaryDirectory() as folder:
            staged = stage(what, DAY, Path(folder) / "stage", "l", SilentReporter())
            with (
                Spool(good_schema(schema, partitioned=True), Path(folder), 2**20) as good,
                Spool(rejected_schema(partitioned=True), Path(folder), 2**20) as rejected,
            ):
                (found,) = validate([staged], schema, what, good, rejected, SilentReporter())
                assert sum(batch.num_rows for batch in good.contents()) == found.good
        print(found.read, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    """

    def peak(rows: int) -> int:
        command = [sys.executable, "-c", textwrap.dedent(code), str(Path(__file__).parent), str(rows)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ})
        read, megabytes = done.stdout.split()
        assert int(read) == rows
        return int(megabytes)

    # 24,000 more rows are 72 MB of text, and several times that on their way.
    few, many = peak(8_000), peak(32_000)
    assert many - few < 40, f"{few} MB became {many} MB"


@pytest.mark.parametrize(
    "row", [{"text": "x" * 2000}, {"deep": [{"bytes": b"x" * 2000}]}, pa.table({"t": ["x" * 2000]})]
)
def test_a_row_too_large_for_memory_is_an_error_that_says_how_large_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Any
) -> None:
    monkeypatch.setattr("phlo.load.stage.LARGEST_ROW", 1_000)
    with pytest.raises(UnusableRows, match="delivered a row of 0 MB; the largest that is taken has 0 MB"):
        staged(ingestion(rows=[row]), tmp_path / "stage")
    assert list(tmp_path.iterdir()) == []


def test_many_small_rows_are_not_taken_for_a_large_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phlo.load.stage.LARGEST_ROW", 100)
    assert (
        staged(ingestion(rows=pa.table({"t": ["x" * 50, None] * 50, "n": [1, 2] * 50})), tmp_path / "stage").rows == 100
    )
