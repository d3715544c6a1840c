"""dbt's commands on the paper shop, as its people type them; what they publish they take back."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from tests.conftest import Shop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import PaperShop
    from phlo.protocols import Pin

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("paper-shop"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

TOP = "models/finance/top_products.sql"


@pytest.fixture(autouse=True)
def as_it_was(paper_shop: PaperShop) -> Iterator[None]:
    """Take back what a test published, and the refs and files it left."""
    catalog, before = paper_shop.lake.catalog, paper_shop.lake.catalog.pin()
    top = (paper_shop.dbt_folder / TOP).read_text()
    yield
    (paper_shop.dbt_folder / TOP).write_text(top)
    for ref in catalog.refs():
        catalog.drop_ref(ref.name)
    if catalog.pin().seq != before.seq:
        catalog.undo((before.seq or 0) + 1)


@pytest.fixture
def state(paper_shop: PaperShop, tmp_path: Path) -> Path:
    """What dbt knew of the project before a change."""
    paper_shop.dbt("compile", "--select", "top_products", "dim_dates")
    shutil.copytree(paper_shop.dbt_folder / "target", tmp_path / "state")
    return tmp_path / "state"


def artefact(shop: PaperShop, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((shop.dbt_folder / "target" / name).read_text())
    return found


def count(shop: PaperShop, table: str, ref: str | None = None) -> int:
    found: int = shop.lake.query(f"select count(*) as n from {table}", ref).to_pylist()[0]["n"]
    return found


def main(shop: PaperShop) -> Pin:
    return shop.lake.catalog.pin()


def test_ls_knows_selectors_tags_graphs_and_kinds(paper_shop: PaperShop) -> None:
    def listed(*arguments: str) -> set[str]:
        from dbt.cli.main import dbtRunner

        folder = ("--project-dir", str(paper_shop.dbt_folder), "--profiles-dir", str(paper_shop.dbt_folder))
        names = dbtRunner().invoke(["--quiet", "ls", *folder, "--output", "name", *arguments]).result
        return set(names)

    models = ("--resource-type", "model")
    assert listed("--selector", "money_matters", *models) == {
        "fct_payments", "payments_by_method", "revenue_by_country", "revenue_by_day", "top_products",
    }  # fmt: skip
    assert listed("--select", "+weekly_report", "--exclude", "tag:staging", *models) == {
        "dim_products.v2", "fct_order_items", "int_order_amounts", "int_orders", "revenue_by_country", "top_products",
    }  # fmt: skip
    assert listed("--select", "source:till.events+1", *models) == {"stg_events"}
    assert listed("--resource-type", "snapshot") == {"product_prices", "customer_history"}
    assert listed("--select", "version:latest", *models) == {"dim_products.v2"}
    assert listed("--select", "group:finance") == {"top_products"}
    assert listed("--select", "config.materialized:incremental,tag:money", *models) == {"fct_payments", "fct_ledger"}


def test_freshness_of_sources_is_that_of_their_rows(paper_shop: PaperShop) -> None:
    paper_shop.dbt("source", "freshness")
    found = {each["unique_id"].rpartition(".")[2]: each for each in artefact(paper_shop, "sources.json")["results"]}
    assert {name: each["status"] for name, each in found.items()} == {"customers": "warn", "orders": "warn"}
    newest = max(order["updated_at"] for order in paper_shop.days[1].till.orders)
    assert found["orders"]["max_loaded_at"].startswith(newest.isoformat())


def test_show_and_compile_and_operations_tell_of_main(paper_shop: PaperShop) -> None:
    said = "\n".join(paper_shop.dbt("show", "--select", "funnel"))
    assert "| basket |" in said
    inline = "select count(*) as n from {{ ref('fct_orders') }}"
    assert "| 250 |" in "\n".join(paper_shop.dbt("show", "--inline", inline))
    said = "\n".join(paper_shop.dbt("compile", "--select", "dearest_orders"))
    assert 'select * from "core"."fct_orders" order by order_cents desc limit 5' in said
    said = "\n".join(paper_shop.dbt("run-operation", "recount", "--args", "{node: fct_orders}"))
    assert "fct_orders has 250 rows" in said


def test_a_package_finds_relations_in_the_information_schema(paper_shop: PaperShop) -> None:
    said = paper_shop.dbt("run-operation", "recount_all", "--args", "{schema: staging, pattern: 'stg_%e%s'}")
    till = paper_shop.days[1].till
    assert [line for line in said if line.startswith("view ")] == [
        f"view stg_customers has {len(till.customers)} rows",
        f"view stg_events has {len(till.events)} rows",
        f"view stg_order_items has {len(till.order_items)} rows",
        f"view stg_orders has {len(till.orders)} rows",
        f"view stg_payments has {len(till.payments)} rows",
    ]


def test_docs_have_every_model_with_types_and_comments(paper_shop: PaperShop) -> None:
    paper_shop.dbt("docs", "generate")
    nodes = artefact(paper_shop, "catalog.json")["nodes"]
    assert len([name for name in nodes if name.startswith("model.shop.")]) == 26  # all but the ephemeral one
    customers = nodes["model.shop.dim_customers"]
    assert customers["metadata"]["comment"] == "One row for each customer, with what they bought"
    assert {name: column["type"] for name, column in customers["columns"].items()} == {
        "customer_id": "bigint", "email": "varchar", "country": "varchar", "orders": "bigint", "cents": "bigint",
        "last_order": "date", "is_vip": "boolean",
    }  # fmt: skip
    status = nodes["model.shop.fct_orders"]["columns"]["status"]
    assert status["comment"] == "Where an order stands: *placed*, *shipped* or *returned*."


def test_empty_makes_everything_without_rows_on_dev(paper_shop: PaperShop) -> None:
    before = main(paper_shop)
    paper_shop.dbt("build", "--empty", "--target", "dev", "--exclude", "resource_type:unit_test", "resource_type:test")
    (dev,) = (ref.name for ref in paper_shop.lake.catalog.refs())
    assert main(paper_shop) == before
    assert count(paper_shop, "core.dim_customers", dev) == count(paper_shop, "finance.revenue_by_country", dev) == 0
    assert count(paper_shop, "core.fct_orders", dev) == 250  # an increment of nothing
    assert count(paper_shop, "core.dim_customers") == 39


def test_a_full_refresh_gives_what_the_increments_gave(paper_shop: PaperShop) -> None:
    marts = ("core.fct_orders", "core.fct_order_items", "finance.fct_ledger")
    query = "select * from {} order by 1, 2, 3"
    before = [paper_shop.lake.query(query.format(name)).to_pylist() for name in marts]
    pins = main(paper_shop).tables
    paper_shop.dbt("run", "--full-refresh", "--select", *(name.partition(".")[2] for name in marts))
    assert [paper_shop.lake.query(query.format(name)).to_pylist() for name in marts] == before
    assert {name for name in pins if main(paper_shop).tables[name] != pins[name]} <= {*marts, "audit.builds"}


def test_only_what_was_modified_is_built_and_the_rest_deferred(paper_shop: PaperShop, state: Path) -> None:
    top = paper_shop.dbt_folder / TOP
    top.write_text(top.read_text().replace("<= 3", "<= 5"))
    paper_shop.dbt("run", "--select", "state:modified", "--defer", "--state", str(state), "--target", "dev")
    (dev,) = (ref.name for ref in paper_shop.lake.catalog.refs())
    assert [change.name for change in paper_shop.lake.catalog.diff(dev)] == ["finance.top_products"]
    assert count(paper_shop, "finance.top_products", dev) == 5
    assert count(paper_shop, "finance.top_products") == 3


def test_retry_goes_on_where_a_build_failed(paper_shop: PaperShop) -> None:
    top = paper_shop.dbt_folder / TOP
    good = top.read_text()
    top.write_text(good.replace("sum(i.quantity) as sold", "sum(i.nothing) as sold"))
    publishes = len(paper_shop.lake.catalog.publishes())
    paper_shop.dbt("run", "--select", "dim_dates", "top_products", ok=False)
    assert len(paper_shop.lake.catalog.publishes()) == publishes
    top.write_text(good.replace("<= 3", "<= 2"))
    paper_shop.dbt("retry")
    assert [each["unique_id"] for each in artefact(paper_shop, "run_results.json")["results"]][-1:] == [
        "model.shop.top_products"
    ]
    assert count(paper_shop, "finance.top_products") == 2


def test_clone_makes_views_of_the_state_on_dev(paper_shop: PaperShop, state: Path) -> None:
    manifest = json.loads((state / "manifest.json").read_text())
    node = manifest["nodes"]["model.shop.dim_dates"]
    node["schema"], node["relation_name"] = "core", '"core"."dim_customers"'
    node["alias"] = "dim_customers"
    (state / "manifest.json").write_text(json.dumps(manifest))
    paper_shop.lake.catalog.create_ref("scratch")
    paper_shop.lake.catalog.drop_table("core.dim_dates", "scratch")
    paper_shop.lake.catalog.publish("scratch")
    paper_shop.dbt("clone", "--select", "dim_dates", "--state", str(state))
    assert main(paper_shop).views["core.dim_dates"].sql.strip().endswith('from "core"."dim_customers"')
    assert count(paper_shop, "core.dim_dates") == 39


def test_seeds_snapshots_and_tests_alone_change_nothing_that_has_not_changed(paper_shop: PaperShop) -> None:
    before = main(paper_shop)
    paper_shop.dbt("seed")
    paper_shop.dbt("snapshot")
    paper_shop.dbt("test", "--select", "test_type:generic", "--exclude", "config.store_failures:true")
    assert main(paper_shop) == before


def test_phlo_run_takes_the_same_selectors_and_runs_the_same_models(paper_shop: PaperShop) -> None:
    till = paper_shop.days[1].till
    shop = Shop(paper_shop.lake.project.root)
    assert shop.call("run", "--select", "tag:money", "--exclude", "fct_ledger source:*").code == 0
    paper_shop.lake.catalog.create_ref("sale")
    more = [
        *till.orders,
        till.orders[0] | {"order_id": 999, "updated_at": till.orders[-1]["updated_at"].replace(day=13)},
    ]
    item = till.order_items[0] | {"order_id": 999, "quantity": 1, "unit_cents": 5}
    import pyarrow as pa

    tables = till.tables()
    for name, rows in {"orders": more, "order_items": [*till.order_items, item]}.items():
        found = pa.Table.from_pylist(rows, schema=tables[name].schema)
        paper_shop.lake.engine.write(f"raw.{name}", found, "sale", mode="replace")
    paper_shop.lake.catalog.publish("sale")
    done = shop.call("run", "--select", "int_orders fct_orders", "--json")
    assert done.code == 0, done.err
    assert count(paper_shop, "core.fct_orders") == 251
    assert paper_shop.lake.query("select order_cents as c from core.fct_orders where order_id = 999").to_pylist() == [
        {"c": 5}
    ]
