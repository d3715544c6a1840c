import datetime as dt
import json
import math
from typing import Any

import pandera.pandas as pa
import pyarrow as arrow
import pytest
from loading import DAY, Lake, ingestion
from pandera.typing import Series

from phlo.declarations import SilentReporter
from phlo.errors import SchemaError
from phlo.load.spool import Spool
from phlo.load.stage import stage
from phlo.load.validate import (
    Validated,
    good_schema,
    rejected_schema,
    validate,
    validate_rows,
)
from phlo.schemas.model import read_model

DIRECTIONS = ["Flat", "FortyFiveUp", "SingleUp", "DoubleUp", "FortyFiveDown", "SingleDown", "DoubleDown", "NONE"]


class RawGlucoseEntries(pa.DataFrameModel):
    """As the documentation prints it."""

    _id: Series[str] = pa.Field(description="Unique identifier for deduplication", nullable=False)
    sgv: Series[int] = pa.Field(ge=1, le=1000, description="Sensor glucose value in mg/dL")
    date: Series[int] = pa.Field(description="Unix timestamp in milliseconds")
    dateString: Series[str] = pa.Field(description="ISO 8601 timestamp")  # noqa: N815  the source's name
    direction: Series[str] = pa.Field(isin=DIRECTIONS, nullable=True, description="Trend direction")
    device: Series[str] = pa.Field(nullable=True, description="Device name")

    class Config:
        strict = True
        coerce = True


def entry(**changes: Any) -> dict[str, Any]:
    row = {"_id": "a", "sgv": 100, "date": 1, "dateString": "x", "direction": "Flat", "device": "d", **changes}
    return {name: value for name, value in row.items() if value is not ...}


def reasons(rows: list[dict[str, Any]], model: type = RawGlucoseEntries, keys: tuple[str, ...] = ()) -> list[str]:
    _, rejected = validate_rows(rows, read_model(model), keys)
    found: list[str] = rejected["reason"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sgv": ...}, "`sgv` is null"),
        ({"sgv": None}, "`sgv` is null"),
        ({"sgv": math.nan}, "`sgv` is null"),
        ({"sgv": 7.2}, "`sgv` = `7.2` is not a whole number"),
        ({"sgv": True}, "`sgv` = `true` is not a whole number"),
        ({"sgv": 0}, "`sgv` = `0` is not at least 1"),
        ({"sgv": "1001"}, "`sgv` = `1001` is not at most 1000"),
        ({"date": 1709301200000.5}, "`date` = `1709301200000.5` is not a whole number"),
        (
            {"direction": "NOT COMPUTABLE"},
            f"`direction` = `NOT COMPUTABLE` is not one of {', '.join(DIRECTIONS)}",
        ),
        ({"_id": None}, "`_id` is null"),
        ({"sgv": None, "date": "x"}, "`sgv` is null; `date` = `x` is not a whole number"),
    ],
)
def test_a_row_that_does_not_fit_is_rejected_with_its_reason(changes: dict[str, Any], reason: str) -> None:
    assert reasons([entry(), entry(**changes)]) == [reason]


@pytest.mark.parametrize(
    "changes", [{"sgv": "5"}, {"sgv": 5.0}, {"direction": None}, {"device": ...}, {"noise": {"deep": 1}}]
)
def test_a_row_that_fits_is_good(changes: dict[str, Any]) -> None:
    good, rejected = validate_rows([entry(**changes)], read_model(RawGlucoseEntries))
    assert (good.num_rows, rejected.num_rows) == (1, 0)
    assert good.column_names == ["_id", "sgv", "date", "dateString", "direction", "device"]


def test_a_rejected_row_keeps_every_field_and_names_its_columns() -> None:
    row = entry(sgv=None, date=None, noise=1, utcOffset=-420)
    _, rejected = validate_rows([row], read_model(RawGlucoseEntries))
    assert json.loads(rejected["row"][0].as_py()) == row
    assert rejected["column"].to_pylist() == ["sgv, date"]


def test_every_bad_row_is_found_among_good_ones_in_both_passes() -> None:
    rows = [entry(_id=str(n), sgv=[100, None, 0, "x"][n % 4]) for n in range(40)]
    good, rejected = validate_rows(rows, read_model(RawGlucoseEntries))
    assert good["_id"].to_pylist() == [str(n) for n in range(0, 40, 4)]
    assert [json.loads(row)["_id"] for row in rejected["row"].to_pylist()] == [str(n) for n in range(40) if n % 4]


def test_a_null_key_is_rejected_though_the_model_allows_it() -> None:
    class Model(pa.DataFrameModel):
        key: Series[str] = pa.Field(nullable=True)

    rows = [{"key": "a"}, {"key": None}, {}]
    assert reasons(rows, Model, ("key",)) == ["`key` is null, and it is the unique key"] * 2
    assert reasons(rows, Model) == []


def test_checks_of_whole_rows_name_no_column() -> None:
    class Span(pa.DataFrameModel):
        first: Series[int]
        last: Series[int]

        @pa.dataframe_check
        def last_is_not_before_first(cls, frame: Any) -> Any:  # noqa: N805
            return frame["first"] <= frame["last"]

    _, rejected = validate_rows([{"first": 1, "last": 2}, {"first": 3, "last": 2}], read_model(Span))
    assert rejected.select(["reason", "column"]).to_pylist() == [
        {"reason": "fails last_is_not_before_first", "column": ""}
    ]


def test_a_check_of_ones_own_on_an_underscored_field_is_applied() -> None:
    class Model(pa.DataFrameModel):
        _id: Series[str]

        @pa.check("_id", error="must have 24 characters")
        def length(cls, ids: Any) -> Any:  # noqa: N805
            return ids.str.len() == 24

    assert reasons([{"_id": "x" * 24}, {"_id": "x"}], Model) == ["`_id` = `x` fails must have 24 characters"]


def test_a_check_that_blames_no_row_is_an_error_of_the_schema() -> None:
    class Mean(pa.DataFrameModel):
        n: Series[int]

        @pa.check("n")
        def mean_is_low(cls, numbers: Any) -> bool:  # noqa: N805
            return bool(numbers.mean() < 5)

    assert reasons([{"n": 1}], Mean) == []
    with pytest.raises(SchemaError, match=r"The schema `Mean` can not be used: .*mean_is_low"):
        reasons([{"n": 1}, {"n": 100}], Mean)


def test_a_check_that_raises_is_an_error_of_the_schema() -> None:
    class Broken(pa.DataFrameModel):
        n: Series[int]

        @pa.check("n")
        def broken(cls, numbers: Any) -> Any:  # noqa: N805
            raise RuntimeError("no such table")

    with pytest.raises(SchemaError, match="no such table"):
        reasons([{"n": 1}], Broken)


def test_validation_can_not_be_switched_off_from_outside() -> None:
    from pandera.config import config_context

    with config_context(validation_enabled=False):
        assert reasons([entry(sgv=0)]) == ["`sgv` = `0` is not at least 1"]


def test_a_check_that_only_warns_rejects_nothing_and_is_passed_on() -> None:
    class Lenient(pa.DataFrameModel):
        n: Series[int] = pa.Field(ge=0, raise_warning=True)

    reporter = SilentReporter()
    staged_rows([{"n": -1}], Lenient, reporter=reporter)
    assert len(reporter.messages) == 1
    assert reporter.messages[0].startswith("`Lenient`: ")


def test_a_default_stands_in_for_a_null() -> None:
    class Model(pa.DataFrameModel):
        n: Series[int] = pa.Field(default=7)

    good, rejected = validate_rows([{}, {"n": None}, {"n": 1}, {"n": "x"}], read_model(Model))
    assert good["n"].to_pylist() == [7, 7, 1]
    assert rejected["reason"].to_pylist() == ["`n` = `x` is not a whole number"]


def test_a_parser_changes_the_rows_that_are_checked_and_written() -> None:
    class Trimmed(pa.DataFrameModel):
        name: Series[str] = pa.Field(str_length={"min_value": 2})
        n: Series[int]

        @pa.parser("name")
        def trim(cls, names: Any) -> Any:  # noqa: N805
            return names.str.strip()

    rows = [{"name": " ab ", "n": 1}, {"name": "  a ", "n": 2}, {"name": "c", "n": "x"}, {"name": "de ", "n": 4}]
    good, rejected = validate_rows(rows, read_model(Trimmed))
    assert good.to_pylist() == [{"name": "ab", "n": 1}, {"name": "de", "n": 4}]
    assert [json.loads(row)["n"] for row in rejected["row"].to_pylist()] == [2, "x"]


def test_checks_see_whole_numbers_beside_nulls_as_whole_numbers() -> None:
    class Model(pa.DataFrameModel):
        n: Series[int] = pa.Field(nullable=True, ge=2**53 + 1)

    assert reasons([{"n": None}, {"n": 2**53 + 1}, {"n": 2**53}], Model) == [
        "`n` = `9007199254740992` is not at least 9007199254740993"
    ]


def test_times_dates_and_decimals_can_be_checked() -> None:
    from decimal import Decimal

    class Model(pa.DataFrameModel):
        at: Series[dt.datetime] = pa.Field(ge=dt.datetime(2024, 1, 1), nullable=True)
        day: Series[dt.date] = pa.Field(le=dt.date(2024, 12, 31), nullable=True)
        price: Series[pa.Decimal] = pa.Field(
            gt=Decimal("0.5"), nullable=True, dtype_kwargs={"precision": 9, "scale": 2}
        )

    rows = [
        {"at": "2024-01-20T00:00:00Z", "day": "2024-01-20", "price": "0.51"},
        {"at": "2023-12-31T23:59:59Z"},
        {"day": "2025-01-01"},
        {"price": "0.50"},
    ]
    assert reasons(rows, Model) == [
        "`at` = `2023-12-31T23:59:59` is not at least 2024-01-01 00:00:00",
        "`day` = `2025-01-01` is not at most 2024-12-31",
        "`price` = `0.50` is not more than 0.5",
    ]


class Unique(pa.DataFrameModel):
    _id: Series[str] = pa.Field(unique=True)
    serial: Series[str] = pa.Field(unique=True, nullable=True)


def test_of_rows_with_a_value_that_may_occur_once_the_first_stands() -> None:
    rows = [{"_id": "a", "serial": "1"}, {"_id": "b", "serial": "1"}, {"_id": "c"}, {"_id": "d"}]
    assert reasons(rows, Unique, ("_id",)) == ["`serial` = `1` is not unique in this load"]


def test_rows_of_one_key_are_left_to_the_merge() -> None:
    rows = [{"_id": "a", "serial": "1"}, {"_id": "a", "serial": "1"}]
    assert reasons(rows, Unique, ("_id",)) == []
    assert reasons(rows, Unique) == ["`_id` = `a` is not unique in this load"]


def test_appended_rows_of_one_key_are_not_merged_so_a_unique_key_counts() -> None:
    rows = [{"_id": "a"}, {"_id": "a"}, {"_id": "b"}]
    found, good, _ = staged_rows(rows, Unique, ("_id",), merge_strategy="append")
    assert (found.rejected, good["_id"].to_pylist()) == (1, ["a", "b"])


def test_columns_may_be_unique_together() -> None:
    class Model(pa.DataFrameModel):
        a: Series[int]
        b: Series[int]

        class Config:
            unique = ["a", "b"]  # noqa: RUF012  Pandera's spelling

    rows = [{"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 1}]
    assert reasons(rows, Model) == ["`a` = `1, 1` is not unique in this load"]


def test_a_model_without_checks_needs_no_second_pass() -> None:
    class Model(pa.DataFrameModel):
        n: Series[int]

    assert read_model(Model).checks is None
    assert reasons([{"n": 1}, {"n": None}], Model) == ["`n` is null"]


def staged_rows(
    rows: Any, model: type, keys: tuple[str, ...] = (), reporter: SilentReporter | None = None, **options: Any
) -> tuple[Validated, arrow.Table, arrow.Table]:
    """Validate rows as a stage keeps them, Arrow or not."""
    (found,), good, rejected = staged_loads([rows], model, keys, reporter, **options)
    return found, good, rejected


def staged_loads(
    loads: list[Any], model: type, keys: tuple[str, ...] = (), reporter: SilentReporter | None = None, **options: Any
) -> tuple[list[Validated], arrow.Table, arrow.Table]:
    """Validate several loads as the days of one run."""
    import tempfile
    from pathlib import Path

    what = [ingestion(rows=rows, unique_key=keys, validation_schema=model, **options) for rows in loads]
    schema = read_model(model)
    with (
        tempfile.TemporaryDirectory() as folder,
        Spool(good_schema(schema, partitioned=True)) as good,
        Spool(rejected_schema(partitioned=True)) as rejected,
    ):
        staged = [
            stage(each, DAY, Path(folder) / f"stage-{number}", f"load-{number}", SilentReporter())
            for number, each in enumerate(what, 1)
        ]
        found = validate(staged, schema, what[0], good, rejected, reporter or SilentReporter())
        return found, good.contents().read_all(), rejected.contents().read_all()


def test_rows_carry_partition_load_and_time() -> None:
    found, good, rejected = staged_rows([entry(), entry(sgv=0)], RawGlucoseEntries)
    for table in (good, rejected):
        assert table["partition_date"].to_pylist() == [DAY]
        assert table["_phlo_load_id"].to_pylist() == ["load-1"]
        assert table["_phlo_loaded_at"].type == arrow.timestamp("us", "UTC")
    assert (found.read, found.good, found.rejected) == (2, 1, 1)


def test_arrow_rows_are_judged_like_dicts() -> None:
    rows = [entry(), entry(sgv=0), entry(direction="?"), entry(sgv=None), entry(noise=5)]
    table = arrow.Table.from_pylist(rows, schema=arrow.Table.from_pylist([entry(noise=5)]).schema)
    from_dicts, good, rejected = staged_rows(rows, RawGlucoseEntries, ("_id",))
    from_arrow, good_too, rejected_too = staged_rows(table, RawGlucoseEntries, ("_id",))
    assert good.drop_columns("_phlo_loaded_at") == good_too.drop_columns("_phlo_loaded_at")
    assert rejected["reason"] == rejected_too["reason"]
    assert from_dicts.reasons == from_arrow.reasons
    assert from_dicts.extra_fields == from_arrow.extra_fields == {"noise": 1}
    assert json.loads(rejected_too["row"][0].as_py()) == entry(sgv=0, noise=None)


def test_a_column_that_arrow_rows_lack_is_null() -> None:
    table = arrow.table({"_id": ["a"], "sgv": [5]})
    _, good, rejected = staged_rows(table, RawGlucoseEntries)
    assert good.num_rows == 0
    assert rejected["reason"].to_pylist() == ["`date` is null; `dateString` is null"]


def test_dicts_and_arrow_batches_may_come_in_one_load() -> None:
    class Model(pa.DataFrameModel):
        n: Series[int]

    pages = [{"n": 1}, arrow.table({"n": [2, 3]}), [{"n": 4}], arrow.table({"n": ["5"], "x": [1]})]
    found, good, _ = staged_rows(pages, Model)
    assert good["n"].to_pylist() == [1, 2, 3, 4, 5]
    assert (found.read, dict(found.extra_fields)) == (5, {"x": 1})


def test_batches_of_a_large_load_are_judged_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("phlo.load.validate.BATCH", 3)
    rows = [{"_id": str(n % 8), "serial": str(n % 8)} for n in range(10)]
    found, good, rejected = staged_rows(rows, Unique)
    assert (found.good, found.rejected) == (8, 2)
    assert good["_id"].to_pylist() == [str(n) for n in range(8)]
    assert rejected["reason"][0].as_py() == "`_id` = `0` is not unique in this load"


MIXED = [
    [entry(_id="a", sgv=0), entry(_id="b"), entry(_id="c", direction="Up")],
    [],
    [entry(_id="d", sgv="?"), entry(_id="e"), entry(_id="f", direction=None)],
    arrow.table({"_id": ["g", "h"], "sgv": [5, 2000], "date": [1, 1], "dateString": ["x", "x"]}),
    [entry(_id="i", sgv=None)],
    [entry(_id="j"), entry(_id="b", sgv=-1)],
]


@pytest.mark.parametrize(("enough", "enough_bytes"), [(10_000, 2**23), (4, 2**23), (10_000, 1)])
def test_loads_that_are_checked_together_keep_their_own_rows_and_reasons(
    monkeypatch: pytest.MonkeyPatch, enough: int, enough_bytes: int
) -> None:
    monkeypatch.setattr("phlo.load.validate.ENOUGH", enough)
    monkeypatch.setattr("phlo.load.validate.ENOUGH_BYTES", enough_bytes)
    found, good, rejected = staged_loads(MIXED, RawGlucoseEntries, ("_id",))
    for number, rows in enumerate(MIXED, 1):
        (alone,), *tables = staged_loads([rows], RawGlucoseEntries, ("_id",))
        mine = found[number - 1]
        assert (mine.read, mine.good, mine.rejected, mine.reasons) == (
            alone.read, alone.good, alone.rejected, alone.reasons,
        )  # fmt: skip
        assert mine.rejected_keys == alone.rejected_keys
        for together, by_itself in zip((good, rejected), tables, strict=True):
            ids = together["_phlo_load_id"].to_pylist()
            own = together.filter(arrow.array([load == f"load-{number}" for load in ids], arrow.bool_()))
            fields = [name for name in own.column_names if not name.startswith("_phlo")]
            assert own.select(fields) == by_itself.select(fields)
    assert [(each.good, each.rejected) for each in found] == [(1, 2), (0, 0), (2, 1), (1, 1), (0, 1), (1, 1)]


def test_a_check_that_looks_at_all_rows_gets_those_of_one_load() -> None:
    class Reading(pa.DataFrameModel):
        sgv: int

        @pa.check("sgv")
        def is_near_the_others(cls, values: Any) -> Any:  # noqa: N805
            return (values - values.mean()).abs() < 50

    loads = [[{"sgv": 100}, {"sgv": 110}], [{"sgv": 300}, {"sgv": 310}], [{"sgv": 100}, {"sgv": 400}]]
    found, _, rejected = staged_loads(loads, Reading)
    assert [each.rejected for each in found] == [0, 0, 2]
    assert rejected["_phlo_load_id"].to_pylist() == ["load-3"] * 2


def test_a_check_may_compare_the_groups_that_another_column_makes() -> None:
    class Reading(pa.DataFrameModel):
        sgv: int
        kind: str

        @pa.check("sgv", groupby="kind")
        def have_one_mean(cls, groups: Any) -> bool:  # noqa: N805
            return groups["cgm"].mean() == groups["meter"].mean()

    rows = [{"sgv": 5, "kind": "cgm"}, {"sgv": 5, "kind": "meter"}]
    assert reasons(rows, Reading) == []
    with pytest.raises(SchemaError, match="have_one_mean"):
        reasons([*rows, {"sgv": 7, "kind": "meter"}], Reading)


def test_the_keys_of_rejected_rows_are_kept_where_there_is_one() -> None:
    found, _, _ = staged_rows([entry(sgv=0), entry(_id=None), entry(_id="b", date=None)], RawGlucoseEntries, ("_id",))
    assert [key for table in found.rejected_keys for key in table["_id"].to_pylist()] == ["a", "b"]


def test_what_a_lake_holds_is_what_was_validated(lake: Lake) -> None:
    rows = [entry(_id=f"é{n}", device="\U0001f600\u0000") for n in range(3)]
    lake.load("1", ingestion(rows=rows, unique_key=("_id",), validation_schema=RawGlucoseEntries))
    assert lake.rows("raw.readings", "_id", "device") == [(f"é{n}", "\U0001f600\u0000") for n in range(3)]


def test_a_default_of_another_type_is_an_error_of_the_schema() -> None:
    class Model(pa.DataFrameModel):
        n: Series[int] = pa.Field(default="many")

    with pytest.raises(SchemaError, match="its default `n` = `many` is not a whole number"):
        reasons([{"n": None}], Model)


def test_a_parser_that_changes_a_type_is_an_error_of_the_schema() -> None:
    class Model(pa.DataFrameModel):
        n: Series[int]

        @pa.parser("n")
        def spell(cls, numbers: Any) -> Any:  # noqa: N805
            return numbers.astype(str) + " mg/dL"

    with pytest.raises(SchemaError, match="its parser does not leave `n` a int64"):
        reasons([{"n": 1}], Model)


def test_a_parser_that_raises_is_an_error_of_the_schema() -> None:
    class Model(pa.DataFrameModel):
        n: Series[int]

        @pa.dataframe_parser
        def broken(cls, frame: Any) -> Any:  # noqa: N805
            raise RuntimeError("no such unit")

    with pytest.raises(SchemaError, match="RuntimeError: no such unit"):
        reasons([{"n": 1}], Model)


def test_a_check_may_look_at_other_columns() -> None:
    class Model(pa.DataFrameModel):
        n: Series[int]
        kind: Series[str]

        @pa.dataframe_check(error="needs a large n")
        def large(cls, frame: Any) -> Any:  # noqa: N805
            return (frame["kind"] != "large") | (frame["n"] > 100)

    rows = [{"n": 5, "kind": "small"}, {"n": 5, "kind": "large"}, {"n": None, "kind": "large"}]
    assert reasons(rows, Model) == ["fails needs a large n", "`n` is null"]
