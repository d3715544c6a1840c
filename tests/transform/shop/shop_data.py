"""A paper shop's tables as its till has them, on a first and on a second day; plain lists, the same every time."""

from __future__ import annotations

import datetime as dt
import json
import random
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

FIRST = dt.datetime(2024, 3, 1)
TIME = pa.timestamp("us")
COUNTRIES = {"DE": ("Germany", 19), "FR": ("France", 20), "PT": ("Portugal, with islands", 23), "IT": ("Italy", 22)}
METHODS = ("card", "cash", "voucher")


@dataclass(frozen=True)
class Till:
    """Rows of each table, as dicts."""

    customers: list[dict[str, Any]] = field(default_factory=list)
    products: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    order_items: list[dict[str, Any]] = field(default_factory=list)
    payments: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def tables(self) -> dict[str, pa.Table]:
        """The tables as a lake takes them; payments of the second day have a column more."""
        fee = [("fee_cents", pa.int64())] if any("fee_cents" in row for row in self.payments) else []
        schemas: dict[str, list[tuple[str, pa.DataType]]] = {
            "customers": [("customer_id", pa.int64()), ("email", pa.string()), ("country_code", pa.string()),
                          ("signed_up_at", pa.string()), ("updated_at", TIME)],
            "products": [("product_id", pa.int64()), ("name", pa.string()), ("price_cents", pa.int64()),
                         ("attributes", pa.string())],
            "orders": [("order_id", pa.int64()), ("customer_id", pa.int64()), ("status", pa.string()),
                       ("ordered_at", TIME), ("updated_at", TIME)],
            "order_items": [("order_id", pa.int64()), ("line", pa.int32()), ("product_id", pa.int64()),
                            ("quantity", pa.int32()), ("unit_cents", pa.int64())],
            "payments": [("payment_id", pa.int64()), ("order_id", pa.int64()), ("method", pa.string()),
                         ("amount_cents", pa.int64()), *fee],
            "events": [("event_id", pa.int64()), ("customer_id", pa.int64()), ("kind", pa.string()),
                       ("happened_at", TIME)],
        }  # fmt: skip
        return {
            name: pa.Table.from_pylist(getattr(self, name), schema=pa.schema(columns))
            for name, columns in schemas.items()
        }

    def counting(self) -> list[dict[str, Any]]:
        """The orders that were not sent back."""
        return [order for order in self.orders if order["status"] != "returned"]

    def cents(self) -> dict[int, int]:
        """What each order's items cost."""
        found = {order["order_id"]: 0 for order in self.orders}
        for item in self.order_items:
            found[item["order_id"]] += item["quantity"] * item["unit_cents"]
        return found


def first_day() -> Till:
    """Ten days of trade."""
    chance, till = random.Random(7), Till()
    for number in range(1, 41):
        signed_up = FIRST - dt.timedelta(hours=number * 31)
        country = list(COUNTRIES)[number % 4]
        till.customers.append(
            {"customer_id": number, "email": f"  C{number:03}@Example.org ", "country_code": country,
             "signed_up_at": f"{signed_up.isoformat()}+02:00", "updated_at": signed_up}
        )  # fmt: skip
    for number in range(1, 13):
        attributes = {
            "colour": None if number == 5 else f"hue {number}",
            "sizes": list(range(number, number + number % 3)),
        }
        till.products.append(
            {"product_id": number, "name": f"Paper „{number}“", "price_cents": 100 * number,
             "attributes": json.dumps(attributes)}
        )  # fmt: skip
    for number in range(1, 201):
        _order(till, chance, number, FIRST + dt.timedelta(minutes=70 * number))
    _events(till, chance, range(1, 401), FIRST)
    return till


def second_day(before: Till) -> Till:
    """What came after: orders and events, some late, changes to orders, a customer and a price, one customer gone."""
    chance = random.Random(8)
    till = replace(
        before, **{name: [dict(row) for row in getattr(before, name)] for name in before.__dataclass_fields__}
    )
    changed = FIRST + dt.timedelta(days=10, hours=3)
    for order in till.orders[50:60]:
        order |= {"status": "returned" if order["status"] != "returned" else "shipped", "updated_at": changed}
    till.customers[2] |= {"country_code": "DE", "updated_at": changed}
    till.customers.pop()  # the last one, who never bought
    till.products[3]["price_cents"] = 999
    for number in range(201, 251):
        _order(till, chance, number, FIRST + dt.timedelta(days=10, minutes=55 * (number - 200)))
    for payment in till.payments:
        payment["fee_cents"] = None if payment["order_id"] <= 200 else payment["amount_cents"] // 50
    _events(till, chance, range(401, 481), FIRST + dt.timedelta(days=9, hours=22))
    return till


def _order(till: Till, chance: random.Random, number: int, at: dt.datetime) -> None:
    status = chance.choice(["placed", "shipped", "shipped", "returned"])
    buyer = chance.randrange(1, 40)
    till.orders.append({"order_id": number, "customer_id": buyer, "status": status, "ordered_at": at, "updated_at": at})
    total = 0
    for line in range(1, chance.randrange(1, 5) + 1):
        product, quantity = chance.choice(till.products), chance.randrange(1, 6)
        total += quantity * product["price_cents"]
        till.order_items.append(
            {"order_id": number, "line": line, "product_id": product["product_id"], "quantity": quantity,
             "unit_cents": product["price_cents"]}
        )  # fmt: skip
    parts = [total] if chance.random() < 0.7 else [total // 2, total - total // 2]
    for part in parts:
        till.payments.append(
            {"payment_id": len(till.payments) + 1, "order_id": number, "method": chance.choice(METHODS),
             "amount_cents": part}
        )  # fmt: skip


def _events(till: Till, chance: random.Random, numbers: range, start: dt.datetime) -> None:
    """Add twenty events eight minutes apart, and again nine hours later."""
    for step, number in enumerate(numbers):
        after = dt.timedelta(minutes=8 * step, hours=9 * (step // 20), seconds=number % 60)
        till.events.append(
            {"event_id": number, "customer_id": chance.randrange(1, 6),
             "kind": chance.choice(["look", "look", "basket", "buy"]), "happened_at": start + after}
        )  # fmt: skip
