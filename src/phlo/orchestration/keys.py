"""Asset keys: how tables are named in Dagster, and back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dagster import AssetCheckKey, AssetKey

from phlo.declarations import RAW, check_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from phlo.declarations import Check, Quality
    from phlo.transform.models import DataTest


def asset_key(table: str) -> AssetKey:
    """Name a table: an ingested one by its own name, as it is declared, others with their schema.

    >>> asset_key("raw.glucose_entries"), asset_key("silver.fct_glucose_readings")
    (AssetKey(['glucose_entries']), AssetKey(['silver', 'fct_glucose_readings']))
    """
    schema, name = table.split(".", 1)
    return AssetKey([name]) if schema == RAW else AssetKey([schema, name])


def table_of(key: AssetKey) -> str:
    """Name the table of an asset."""
    return ".".join(key.path if len(key.path) > 1 else (RAW, *key.path))


def check_keys(qualities: Iterable[Quality]) -> Mapping[AssetCheckKey, tuple[Quality, Check]]:
    """Name every check: by the function that declares it and what it checks, with a number where that is not enough."""
    found: dict[AssetCheckKey, tuple[Quality, Check]] = {}
    for quality in qualities:
        for check in quality.checks:
            name = word(quality.name if len(quality.checks) == 1 else f"{quality.name}_{check_name(check)}")
            key, number = AssetCheckKey(asset_key(quality.table), name), 1
            while key in found:
                number += 1
                key = AssetCheckKey(asset_key(quality.table), f"{name}_{number}")
            found[key] = quality, check
    return found


def data_test_keys(tests: Iterable[DataTest], tables: Collection[str]) -> Mapping[AssetCheckKey, DataTest]:
    """Name dbt's data tests: each on the last of these tables that it reads; the others are tests of other tables."""
    found: dict[AssetCheckKey, DataTest] = {}
    for test in tests:
        read = [table for table in test.tables if table in tables]
        if read:
            found[AssetCheckKey(asset_key(read[-1]), word(test.name))] = test
    return found


def word(text: str) -> str:
    """Write a name with the characters that Dagster allows.

    >>> word("mean-glucose (mg/dL)")
    'mean_glucose_mg_dL'
    """
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "_"
