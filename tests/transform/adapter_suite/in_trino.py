"""Classes of dbt's suite in Trino's SQL: what every adapter overrides, because the suite's own is written for Postgres.

``REPLACED`` changes texts of the suite's fixtures; the classes below change what is expected of types and messages.
What is tested stays as it is.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import dbt.tests.adapter
import pytest
from dbt.tests.adapter.basic.test_get_catalog_for_single_relation import BaseGetCatalogForSingleRelation
from dbt.tests.adapter.constraints import test_constraints as constraints
from dbt.tests.adapter.dbt_debug.test_dbt_debug import BaseDebugInvalidProjectPostgres, BaseDebugPostgres
from dbt.tests.adapter.hooks import test_model_hooks as model_hooks
from dbt.tests.adapter.hooks import test_run_hooks as run_hooks
from dbt.tests.adapter.incremental.test_incremental_microbatch import BaseMicrobatch
from dbt.tests.adapter.incremental.test_incremental_on_schema_change import BaseIncrementalOnSchemaChange
from dbt.tests.adapter.simple_seed.test_seed import BaseSeedCustomSchema, BaseSimpleSeedWithBOM
from dbt.tests.adapter.simple_snapshot.test_snapshot import BaseSnapshotCheck
from dbt.tests.adapter.store_test_failures_tests.test_store_test_failures import BaseStoreTestFailures
from dbt.tests.adapter.utils.test_timestamps import BaseCurrentTimestamps
from dbt.tests.util import run_dbt
from dbt_common.contracts.metadata import CatalogTable, ColumnMetadata, TableMetadata

SUITE = Path(dbt.tests.adapter.__path__[0])

_HASH = "lower(to_hex(md5(to_utf8({}))))"
_VERSION = "cast(updated_at as varchar)"

REPLACED: dict[str, tuple[tuple[str, str], ...]] = {
    "simple_snapshot.fixtures": (
        (r"'id \|\| ' ~", "'cast(id as varchar) || ' ~"),
        (r"null::timestamp", "cast(null as timestamp)"),
        (
            r"md5\(id \|\| '-' \|\| first_name \|\| '\|' \|\| updated_at::text\)",
            _HASH.format(f"cast(id as varchar) || '-' || first_name || '|' || {_VERSION}"),
        ),
        (
            r"md5\(id1::text \|\| '\|' \|\| id2::text \|\| '\|' \|\| updated_at::text\)",
            _HASH.format(f"cast(id1 as varchar) || '|' || cast(id2 as varchar) || '|' || {_VERSION}"),
        ),
    ),
    "basic.files": ((r"1 \|\| '-' \|\| current_timestamp", "'1-' || cast(current_timestamp as varchar)"),),
    "incremental.test_incremental_microbatch": ((r":00-0'", ":00 UTC'"),),
    "python_model.test_python_model": ((r":00-0'", ":00 UTC'"),),
    "sample_mode.fixtures": ((r":00-0'", ":00 UTC'"),),
    "incremental.test_incremental_unique_id": ((r"(?m)^(select '.*),('20\d\d-\d\d-\d\d')$", r"\1,date \2"),),
    "utils.fixture_date_spine": ((r"'postgres'", "'phlo'"), (r"'(\d{4}-\d\d-\d\d)'::date", r"date '\1'")),
    "utils.fixture_get_intervals_between": (
        (r"'postgres'", "'phlo'"),
        (r"'(\d\d)/(\d\d)/(\d{4})'::date", r"date '\3-\1-\2'"),
    ),
    "utils.fixture_null_compare": ((r"null as", "cast(null as integer) as"),),
    # dbt-trino constructs NULL of no elements.
    "utils.fixture_array_append": ((r" union all\nselect 2 .*", ""),),
    "utils.fixture_array_concat": ((r" union all\nselect [23][^\n]*?(?= union all\n|\n)", ""),),
    "simple_snapshot.seeds": ((r"(?m)(\d{4}-\d\d-\d\d)$", r"\1 12:00:00"),),
    # dbt-trino's macro knows no microseconds, which its TIMESTAMP rounds.
    "utils.fixture_datediff": ((r"(?m)^union all .*microsecond.*\n", ""), (r"59\.999999", "59.999")),
}


def rewrite() -> None:
    """Rewrite the texts of the suite's modules, and those that other modules of it have taken over."""
    rewritten: dict[str, str] = {}
    for module, changes in REPLACED.items():
        for text in _texts(module):
            changed = text
            for pattern, new in changes:
                changed = re.sub(pattern, new, changed)
            if changed != text:
                rewritten[text] = changed
    for file in SUITE.rglob("*.py"):
        module = importlib.import_module(_name(file))
        for name, text in list(vars(module).items()):
            if isinstance(text, str) and text in rewritten:
                setattr(module, name, rewritten[text])


def _texts(module: str) -> list[str]:
    found = vars(importlib.import_module(f"dbt.tests.adapter.{module}"))
    return [text for name, text in found.items() if isinstance(text, str) and not name.startswith("__")]


def _name(file: Path) -> str:
    return ".".join(("dbt.tests.adapter", *file.relative_to(SUITE).with_suffix("").parts))


class _Data:
    """The files beside the suite's modules, which it looks for beside ours."""

    @pytest.fixture(scope="class")
    def test_data_dir(self) -> Path:
        return SUITE / "hooks" / "data"


class _HookValues:
    """The profile's values, which have neither host nor user."""

    def check_hooks(self, state: str, project: Any, host: Any, count: int = 1) -> None:
        self.get_ctx_vars: Any
        for context in self.get_ctx_vars(state, count=count, project=project):
            _check(context, state, project)


def _check(context: dict[str, Any], state: str, project: Any) -> None:
    assert context["test_state"] == state
    assert (context["target_name"], context["target_type"]) == ("default", "phlo")
    assert context["target_schema"] == project.test_schema
    assert context["target_threads"] == 2
    assert all(context[name] for name in ("run_started_at", "invocation_id", "thread_id"))


class PrePostModelHooks(_Data, _HookValues, model_hooks.BasePrePostModelHooks):
    pass


class HookRefs(_Data, _HookValues, model_hooks.BaseHookRefs):
    pass


class PrePostModelHooksInConfig(_Data, _HookValues, model_hooks.BasePrePostModelHooksInConfig):
    pass


class PrePostModelHooksInConfigWithCount(_Data, _HookValues, model_hooks.BasePrePostModelHooksInConfigWithCount):
    pass


class PrePostModelHooksInConfigKwargs(_Data, _HookValues, model_hooks.BasePrePostModelHooksInConfigKwargs):
    pass


class PrePostRunHooks(_Data, run_hooks.BasePrePostRunHooks):
    def check_hooks(self, state: str, project: Any, host: Any) -> None:
        _check(self.get_ctx_vars(state, project), state, project)


class Microbatch(BaseMicrobatch):
    @pytest.fixture(scope="class")
    def insert_two_rows_sql(self, project: Any) -> str:
        return (
            f"insert into {project.test_schema}.input_model (id, event_time) "
            "values (4, TIMESTAMP '2020-01-04 00:00:00 UTC'), (5, TIMESTAMP '2020-01-05 00:00:00 UTC')"
        )


class IncrementalOnSchemaChange(BaseIncrementalOnSchemaChange):
    def test_run_incremental_fail_on_schema_change(self, project: Any) -> None:
        select = "model_a incremental_fail"
        run_dbt(["run", "--models", select, "--full-refresh"])
        failed = run_dbt(["run", "--models", select], expect_pass=False)
        assert "gone: `field3`" in failed[1].message


class SnapshotCheck(BaseSnapshotCheck):
    def update_fact_records(self, updates: dict[str, str], where: str | None = None) -> None:
        """Trino has no ``left``."""
        written = {name: re.sub(r"left\((\w+), 3\)", r"substr(\1, 1, 3)", value) for name, value in updates.items()}
        super().update_fact_records(written, where)


_PREFIXED = {
    "schema.sql": "{% macro generate_schema_name(custom_schema_name, node) %}"
    "{{ default__generate_schema_name(custom_schema_name, node) }}{% endmacro %}"
}


class _PrefixedSchemas:
    """A project with dbt's own names of schemas, where ours takes a custom one as it is."""

    @pytest.fixture(scope="class")
    def macros(self) -> dict[str, str]:
        return _PREFIXED


class SeedCustomSchema(_PrefixedSchemas, BaseSeedCustomSchema):
    pass


class StoreTestFailures(_PrefixedSchemas, BaseStoreTestFailures):
    pass


class SimpleSeedWithBOM(BaseSimpleSeedWithBOM):
    """The package does not ship its file, which is the other seeds' behind a byte order mark."""

    @pytest.fixture(scope="class", autouse=True)
    def setUp(self, project: Any) -> None:
        from dbt.tests.adapter.simple_seed import seeds

        project.run_sql(seeds.seeds__expected_sql)
        folder = Path(project.project_root) / "seeds"
        (folder / "seed_bom.csv").write_text(f"\ufeff{seeds.seed__actual_csv.strip()}\n", encoding="utf-8")


class CurrentTimestamps(BaseCurrentTimestamps):
    @pytest.fixture(scope="class")
    def expected_schema(self) -> dict[str, str]:
        naive = ("current_timestamp_in_utc_backcompat", "current_timestamp_backcompat")
        return {"current_timestamp": "timestamp(6) with time zone", **dict.fromkeys(naive, "timestamp(6)")}

    @pytest.fixture(scope="class")
    def expected_sql(self) -> None:
        return None


class _Types:
    """Types of columns by Trino's names."""

    @pytest.fixture
    def string_type(self) -> str:
        return "varchar"

    @pytest.fixture
    def int_type(self) -> str:
        return "integer"

    @pytest.fixture
    def data_types(self, schema_int_type: str, int_type: str, string_type: str) -> list[list[str]]:
        return [
            ["1", schema_int_type, int_type],
            ["'1'", string_type, string_type],
            ["true", "boolean", "boolean"],
            ["timestamp '2013-11-03 00:00:00 UTC'", "timestamp(6) with time zone", "timestamp(6) with time zone"],
            ["timestamp '2013-11-03 00:00:00'", "timestamp(6)", "timestamp(6)"],
            ["array['a','b','c']", "array(varchar)", "array(varchar)"],
            ["array[1,2,3]", "array(integer)", "array(integer)"],
            ["decimal '1.50'", "decimal(3,2)", "decimal(3,2)"],
            ["date '2013-11-03'", "date", "date"],
        ]


class TableConstraintsColumnsEqual(_Types, constraints.BaseTableConstraintsColumnsEqual):
    pass


class ViewConstraintsColumnsEqual(_Types, constraints.BaseViewConstraintsColumnsEqual):
    pass


class IncrementalConstraintsColumnsEqual(_Types, constraints.BaseIncrementalConstraintsColumnsEqual):
    pass


class _Broken:
    """A broken constraint in our words."""

    @pytest.fixture(scope="class")
    def expected_error_messages(self) -> list[str]:
        return ["break the constraint `not_null (id)`"]


class ConstraintsRollback(_Broken, constraints.BaseConstraintsRollback):
    pass


class IncrementalConstraintsRollback(_Broken, constraints.BaseIncrementalConstraintsRollback):
    pass


class GetCatalogForSingleRelation(BaseGetCatalogForSingleRelation):
    @pytest.fixture(scope="class")
    def expected_catalog_my_seed(self, project: Any) -> CatalogTable:
        return _described(project, "table", "my_seed")

    @pytest.fixture(scope="class")
    def expected_catalog_my_view_model(self, project: Any) -> CatalogTable:
        return _described(project, "view", "my_view_model")


def _described(project: Any, kind: str, name: str) -> CatalogTable:
    types = {
        "id": "integer",
        "first_name": "varchar",
        "email": "varchar",
        "ip_address": "varchar",
        "updated_at": "timestamp(6)",
    }
    columns = {column: ColumnMetadata(types[column], place, column) for place, column in enumerate(types, 1)}
    return CatalogTable(TableMetadata(kind, project.test_schema, name, project.database), columns, {})


ADAPTED: dict[str, type[Any]] = {
    "constraints.BaseConstraintsRollback": ConstraintsRollback,
    "constraints.BaseIncrementalConstraintsColumnsEqual": IncrementalConstraintsColumnsEqual,
    "constraints.BaseIncrementalConstraintsRollback": IncrementalConstraintsRollback,
    "constraints.BaseTableConstraintsColumnsEqual": TableConstraintsColumnsEqual,
    "constraints.BaseViewConstraintsColumnsEqual": ViewConstraintsColumnsEqual,
    "dbt_debug.BaseDebugInvalidProjectPostgres": BaseDebugInvalidProjectPostgres,
    "dbt_debug.BaseDebugPostgres": BaseDebugPostgres,
    "get_catalog_for_single_relation.BaseGetCatalogForSingleRelation": GetCatalogForSingleRelation,
    "incremental_microbatch.BaseMicrobatch": Microbatch,
    "incremental_on_schema_change.BaseIncrementalOnSchemaChange": IncrementalOnSchemaChange,
    "model_hooks.BaseHookRefs": HookRefs,
    "model_hooks.BasePrePostModelHooks": PrePostModelHooks,
    "model_hooks.BasePrePostModelHooksInConfig": PrePostModelHooksInConfig,
    "model_hooks.BasePrePostModelHooksInConfigKwargs": PrePostModelHooksInConfigKwargs,
    "model_hooks.BasePrePostModelHooksInConfigWithCount": PrePostModelHooksInConfigWithCount,
    "run_hooks.BasePrePostRunHooks": PrePostRunHooks,
    "seed.BaseSeedCustomSchema": SeedCustomSchema,
    "seed.BaseSimpleSeedWithBOM": SimpleSeedWithBOM,
    "snapshot.BaseSnapshotCheck": SnapshotCheck,
    "store_test_failures.BaseStoreTestFailures": StoreTestFailures,
    "timestamps.BaseCurrentTimestamps": CurrentTimestamps,
}
"""The class of ours in the place of the suite's."""
