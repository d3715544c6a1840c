"""dbt's own tests of an adapter, on one lake: all classes write one ref, each in a schema of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dbt.adapters.factory import reset_adapters

# pytest takes plugins from the topmost conftest alone; the fixtures of dbt's are imported instead.
from dbt.tests.fixtures.project import *  # noqa: F403
from dbt.tests.fixtures.project import TestProjInfo
from dbt.tests.util import run_sql_with_adapter

from phlo.profiles import open_lake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REF = "suite"


@pytest.fixture(scope="session")
def lake_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project of Phlo's around the dbt projects of all classes."""
    root: Path = tmp_path_factory.mktemp("suite")
    (root / "pyproject.toml").write_text('[project]\nname = "suite"\n[tool.phlo]\nmemory_limit = "1GB"\n')
    open_lake(root).catalog.create_ref(REF)
    return root


@pytest.fixture(scope="class")
def project_root(lake_root: Path, prefix: str) -> Any:
    import py

    return py.path.local(lake_root).mkdir(prefix)  # noqa: PTH124  what the suite's own fixtures work with


@pytest.fixture(scope="class")
def dbt_profile_target() -> dict[str, Any]:
    return {"type": "phlo", "threads": 2, "ref": REF}


@pytest.fixture(scope="class")
def profile_user() -> str:
    return "someone"


@pytest.fixture(scope="class")
def logs_dir(lake_root: Path, prefix: str, request: pytest.FixtureRequest) -> Iterator[str]:
    folder = lake_root / "logs" / prefix
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DBT_LOG_PATH", str(folder))
        yield str(folder)


@pytest.fixture(autouse=True, scope="session")
def tables_from_the_catalog() -> None:
    """Ask the catalog what is there: the lake has no information schema."""

    def tables(project: Any) -> dict[str, str]:
        adapter = project.adapter
        schema = adapter.Relation.create(database=project.database, schema=project.test_schema)
        return {each.identifier: str(each.type) for each in adapter.list_relations_without_caching(schema)}

    def run_sql(project: Any, sql: str, fetch: str | None = None) -> Any:
        """Run a script: the adapter takes one statement at a time."""
        statements = [each for each in sql.split(";") if each.strip()]
        results = [run_sql_with_adapter(project.adapter, each, fetch=fetch) for each in statements]
        return results[-1] if results else None

    TestProjInfo.get_tables_in_schema = tables
    TestProjInfo.run_sql = run_sql


@pytest.fixture(autouse=True, scope="class")
def no_adapter_before() -> None:
    """Forget the adapter that another test's run has made: dbt makes the class's own only where there is none."""
    reset_adapters()


@pytest.fixture(autouse=True, scope="class")
def users() -> Iterator[None]:
    """The names that tests of rights ask the environment for."""
    with pytest.MonkeyPatch.context() as patch:
        for number in (1, 2, 3):
            patch.setenv(f"DBT_TEST_USER_{number}", f"someone_{number}")
        yield
