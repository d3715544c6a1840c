"""The paper shop's tables after two builds, beside the same numbers out of plain Python."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter, defaultdict
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

import pytest
from shop_data import COUNTRIES, FIRST, METHODS

from phlo.transform.lineage import read_lineage

if TYPE_CHECKING:
    from conftest import Day, PaperShop

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("paper-shop"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

CENT = Decimal("0.01")


@pytest.fixture(params=[0, 1], ids=["first day", "second day"])
def day(request: pytest.FixtureRequest, paper_shop: PaperShop) -> Day:
    return paper_shop.days[request.param]


def test_every_node_was_built_and_tested_and_all_is_published(paper_shop: PaperShop) -> None:
    for day in paper_shop.days:
        assert "Done. PASS=51 WARN=1 ERROR=0 SKIP=0 NO-OP=1 TOTAL=53" in day.said
        assert "Published " in day.said
    assert paper_shop.lake.catalog.refs() == []


def test_customers_have_what_they_bought(day: Day) -> None:
    cents, bought = day.till.cents(), defaultdict(list)
    for order in day.till.counting():
        bought[order["customer_id"]].append(order)
    expected = []
    for customer in day.till.customers:
        orders = bought[customer["customer_id"]]
        total = sum(cents[order["order_id"]] for order in orders)
        expected.append(
            (customer["customer_id"], customer["email"].strip().lower(), COUNTRIES[customer["country_code"]][0],
             len(orders), total, max((order["ordered_at"].date() for order in orders), default=None), total >= 60000)
        )  # fmt: skip
    assert day.rows("select * from core.dim_customers order by customer_id") == expected
    assert len({row[-1] for row in expected}) == 2


def test_a_model_in_python_sorts_them(day: Day) -> None:
    cents = dict(day.rows("select customer_id, cents from core.dim_customers"))
    segments = {n: "none" if c == 0 else "gold" if c >= 60000 else "silver" for n, c in cents.items()}
    assert dict(day.rows("select * from core.customer_segments")) == segments


def test_merged_orders_have_their_last_state(day: Day) -> None:
    cents, items = day.till.cents(), Counter(item["order_id"] for item in day.till.order_items)
    assert day.rows("select * from core.fct_orders order by order_id") == [
        (each["order_id"], each["customer_id"], each["status"], each["ordered_at"].date(), cents[each["order_id"]],
         items[each["order_id"]], each["updated_at"])
        for each in day.till.orders
    ]  # fmt: skip


def test_items_are_there_once_with_their_keys(day: Day) -> None:
    ordered = {order["order_id"]: order["ordered_at"].date() for order in day.till.orders}
    expected = [
        (hashlib.md5(f"{i['order_id']}-{i['line']}".encode()).hexdigest(), i["order_id"], i["line"], i["product_id"],
         i["quantity"], i["quantity"] * i["unit_cents"], ordered[i["order_id"]])
        for i in day.till.order_items
    ]  # fmt: skip
    assert day.rows("select * from core.fct_order_items order by order_id, line") == expected


def test_payments_got_the_column_that_came_with_the_second_day(paper_shop: PaperShop) -> None:
    first, second = paper_shop.days
    one = [(*p.values(), Decimal(p["amount_cents"]) / 100) for p in first.till.payments]
    assert first.rows("select * from finance.fct_payments order by payment_id") == one
    names = "payment_id, order_id, method, amount_cents, fee_cents, amount"
    two = [(*p.values(), Decimal(p["amount_cents"]) / 100) for p in second.till.payments]
    assert second.rows(f"select {names} from finance.fct_payments order by payment_id") == two
    assert len(two) > len(one)


def test_the_ledger_has_each_payment_once_and_its_hook_counted_it(day: Day) -> None:
    ids = [(payment["payment_id"],) for payment in day.till.payments]
    assert day.rows("select payment_id from finance.fct_ledger order by 1") == ids
    assert day.rows("select * from audit.builds") == [("ledger", len(ids))]


def test_revenue_is_divided_as_trino_divides_decimals(day: Day) -> None:
    country = {customer["customer_id"]: customer["country_code"] for customer in day.till.customers}
    cents, total, buyers = day.till.cents(), Counter[str](), defaultdict(set)
    for order in day.till.counting():
        code = country[order["customer_id"]]
        total[code] += cents[order["order_id"]]
        buyers[code].add(order["customer_id"])
    expected = []
    for code, amount in total.items():
        name, vat = COUNTRIES[code]
        net = (amount / (1 + Decimal(vat) / 100)).quantize(CENT, ROUND_HALF_UP)
        expected.append((name, amount, (net / 100).quantize(CENT, ROUND_HALF_UP), len(buyers[code])))
    assert day.rows("select * from finance.revenue_by_country order by country") == sorted(expected)


def test_a_column_for_each_method_of_payment_that_there_is(day: Day) -> None:
    paid: dict[int, Counter[str]] = defaultdict(Counter)
    for payment in day.till.payments:
        paid[payment["order_id"]][payment["method"]] += payment["amount_cents"]
    expected = [(order, *(paid[order][method] for method in METHODS)) for order in sorted(paid)]
    columns = ", ".join(METHODS)
    assert day.rows(f"select order_id, {columns} from finance.payments_by_method order by 1") == expected


def test_each_day_has_its_revenue_and_all_before(day: Day) -> None:
    cents, per_day = day.till.cents(), Counter[dt.date]()
    for order in day.till.counting():
        per_day[order["ordered_at"].date()] += cents[order["order_id"]]
    days = [(FIRST + dt.timedelta(days=n)).date() for n in range(14)]
    running, expected = 0, []
    for each in days:
        running += per_day[each]
        expected.append((each, per_day[each], running))
    assert day.rows("select * from finance.revenue_by_day order by day") == expected


def test_dates_come_from_the_package_s_spine(day: Day) -> None:
    days = [(FIRST + dt.timedelta(days=n)).date() for n in range(14)]
    assert day.rows("select * from core.dim_dates order by day") == [
        (each, dt.date(2024, 3, 1), each.isoweekday(), dt.date(2024, 3, 31), number) for number, each in enumerate(days)
    ]


def test_the_products_sold_most(day: Day) -> None:
    sold = Counter[int]()
    for item in day.till.order_items:
        sold[item["product_id"]] += item["quantity"]
    best = sorted(sold, key=lambda product: (-sold[product], product))[:3]
    colour = {n: None if n == 5 else f"hue {n}" for n in sold}
    assert day.rows("select product_id, colour, sold, place from finance.top_products order by place") == [
        (product, colour[product], sold[product], place) for place, product in enumerate(best, 1)
    ]


def test_both_versions_of_products(day: Day) -> None:
    assert day.rows("select * from core.dim_products_v1 order by 1") == [
        (p["product_id"], p["name"], p["price_cents"]) for p in day.till.products
    ]
    assert day.rows("select product_id, size_count, smallest from core.dim_products_v2 order by 1") == [
        (n, n % 3, n if n % 3 else None) for n in range(1, 13)
    ]


def test_batches_of_events_have_each_event_once(day: Day) -> None:
    events = [tuple(event.values()) for event in day.till.events]
    assert day.rows("select * from web.fct_daily_events order by event_id") == events
    kinds, people = Counter(event["kind"] for event in day.till.events), defaultdict(set)
    for event in day.till.events:
        people[event["kind"]].add(event["customer_id"])
    expected = [(kind, kinds[kind], len(people[kind])) for kind in sorted(kinds)]
    assert day.rows("select * from web.funnel order by kind") == expected


def test_sessions_end_after_half_an_hour_without_an_event(day: Day) -> None:
    found: dict[tuple[int, int], list[Any]] = {}
    last: dict[int, tuple[int, dt.datetime]] = {}
    for event in sorted(day.till.events, key=lambda event: (event["happened_at"], event["event_id"])):
        customer, at = event["customer_id"], event["happened_at"]
        number, before = last.get(customer, (0, dt.datetime.min))
        number += at - before > dt.timedelta(minutes=31)
        last[customer] = number, at
        session = found.setdefault((customer, number), [at, 0, 0])
        session[1] += 1
        session[2] += event["kind"] == "buy"
    expected = [
        (hashlib.md5(f"{c}-{n}".encode()).hexdigest(), c, n, *values) for (c, n), values in sorted(found.items())
    ]
    assert day.rows("select * from web.sessions order by customer_id, session") == expected
    assert max(row[4] for row in expected) > 1


def test_relations_of_other_columns_are_brought_together(day: Day) -> None:
    rows = day.rows("select _of, customer_id, email, source from web.contacts order by _of, email")
    letters = [("ada@example.org", "fair"), ("c003@example.org", "web"), ("noor@example.org", None)]
    customers = [
        ('"staging"."stg_customers"', c["customer_id"], c["email"].strip().lower(), None) for c in day.till.customers
    ]
    assert rows == [('"seeds"."newsletter"', None, *letter) for letter in letters] + customers


def test_orders_of_a_customer_are_listed_and_mapped(day: Day) -> None:
    cents, orders = day.till.cents(), defaultdict(list)
    for order in day.till.orders:
        orders[order["customer_id"]].append(order["order_id"])
    rows = day.rows("select customer_id, order_ids, cents_by_order, dearest from core.customer_orders order by 1")
    assert [(row[0], row[1]) for row in rows] == [(n, ",".join(map(str, orders[n]))) for n in sorted(orders)]
    for customer, _, by_order, dearest in rows:
        assert dict(by_order) == {order: cents[order] for order in orders[customer]}
        assert cents[dearest] == max(cents[order] for order in orders[customer])


def test_what_macros_found_while_they_compiled(day: Day) -> None:
    assert day.rows("select * from web.shop_health") == [
        (4, True, False, "day month weekday month_end day_number", None, "7", "hello from the shop", "aby")
    ]


def test_snapshots_keep_what_was(paper_shop: PaperShop) -> None:
    first, second = paper_shop.days
    assert first.rows("select count(*), count(dbt_valid_to) from history.customer_history") == [(40, 0)]
    columns = "country_code, dbt_valid_from, dbt_valid_to"
    sql = f"select {columns} from history.customer_history where customer_id = {{}} order by 2"
    moved = FIRST + dt.timedelta(days=10, hours=3)
    signed_up = first.till.customers[2]["updated_at"]
    assert second.rows(sql.format(3)) == [("IT", signed_up, moved), ("DE", moved, None)]
    ((_, _, gone),) = second.rows(sql.format(40))
    assert gone is not None and gone.tzinfo is None
    assert second.rows("select count(*), count(dbt_valid_to) from history.customer_history") == [(41, 2)]
    prices = second.rows("select price_cents from history.product_prices where product_id = 4 order by dbt_valid_from")
    assert prices == [(400,), (999,)]


def test_failing_rows_of_a_warning_are_stored(day: Day) -> None:
    cash = sum(payment["method"] == "cash" for payment in day.till.payments)
    ((table,),) = [(name,) for name in day.pin.tables if name.startswith("audit.basket_utils_in_set")]
    assert day.rows(f"select * from {table}") == [("cash", cash)]


def test_every_column_is_traced_to_the_till_and_the_seeds(paper_shop: PaperShop) -> None:
    found = read_lineage(paper_shop.lake)
    reasons = {name: model.reason for name, model in found.models.items() if model.reason}
    assert reasons == {"core.customer_segments": "it is written in Python"}
    assert found.models["core.customer_segments"].parents == ("core.dim_customers",)
    vip = found.origins("core.dim_customers", "is_vip")
    assert [str(column) for column in vip] == ["raw.order_items.quantity", "raw.order_items.unit_cents"]
    net = found.origins("finance.revenue_by_country", "net_amount")
    assert [str(column) for column in net] == [
        "raw.order_items.quantity", "raw.order_items.unit_cents", "seeds.countries.vat_percent",
    ]  # fmt: skip
    tables = {each.split(".")[0] for name in found.models for each in {c.table for c in _ends(found, name)}}
    assert tables == {"raw", "seeds"}


def _ends(found: Any, name: str) -> set[Any]:
    return {end for column in found.models[name].columns for end in found.origins(name, column)}
