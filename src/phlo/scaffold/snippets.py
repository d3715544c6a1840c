"""The files that ``phlo create-workflow`` writes."""

from __future__ import annotations

from string import Template

SCHEMA_FILE = Template('''\
"""
Pandera schemas for $domain domain.
"""

import pandera.pandas as pa
from pandera.typing import Series


$classes''')

SCHEMA_CLASS = Template('''\
class $model($pa.DataFrameModel):
    """
    What rows of raw.$table must look like.

    The table gets the columns named here; what else the source sends is left out. Add the fields you need:
    name: $series[str] for text, or int, float, bool, Decimal (from decimal), date and datetime (from datetime) for
    times; nullable=True in its Field where it may be missing.
    """

$columns
    class Config:
        coerce = True
''')

INGESTION = Template('''\
"""
Ingestion of $title.
"""

from dlt.sources.rest_api import rest_api_source
from phlo.ingestion import phlo_ingestion

from $package.schemas.$domain import $model


@phlo_ingestion(
    table_name="$table",
    unique_key=$keys,
    validation_schema=$model,
    group="$domain",
$schedule)
def $table(partition_date: str):
    """Rows of one UTC day; partition_date is YYYY-MM-DD."""
    return rest_api_source(
        {
            "client": {
                "base_url": $base_url,
            },
            "resources": [
                {
                    "name": "$table",
                    "endpoint": {
                        "path": $path,  # what comes after the base URL, such as "entries.json"
                        "params": {
                            # Ask for that day only, the way your API spells it:
                            # "since": f"{partition_date}T00:00:00Z",
                        },
                    },
                }
            ],
        }
    )
''')

INGESTION_TEST = Template('''\
"""Tests of $domain.$table."""

from phlo.testing import $helpers

from $package.ingestion.$domain.$table import $table
from $package.schemas.$domain import $model

KEYS = $key_list
$loads

def test_a_row_without_its_unique_key_is_rejected():
    result = validate($model, [dict.fromkeys(KEYS)], unique_key=KEYS)
    assert len(result.rejected) == 1


def test_the_source_can_be_made_for_a_day():
    source = $table("2024-01-20")
    assert source.resources
''')

LOAD_TEST = Template("""\
ROW = example_row($model)  # better still: a row as your source sends it


def test_a_row_is_there_once_however_often_it_comes():
    loaded = run_ingestion($table, rows=[ROW, ROW])
    assert loaded.rejected == []
    assert len(loaded.rows) == 1

""")
"""Only for a schema that was written along with it: what rows another one wants is not known."""

QUALITY = Template('''\
"""
Checks of $table.
"""

import phlo
from phlo.quality import NullCheck, UniqueCheck


@phlo.quality(
    table="$table",
    checks=[
        NullCheck(columns=$keys),
        UniqueCheck(columns=$keys),
    ],
    group="$domain",
    blocking=True,
)
def ${short}_quality():
    """Each row is there once, under its unique key."""
''')

QUALITY_TEST = Template('''\
"""Tests of the checks of $table."""

from phlo.testing import check_rows

from $package.quality.$domain.$short import ${short}_quality

ROW = $row


def test_rows_with_their_unique_key_pass():
    assert all(result.passed for result in check_rows(${short}_quality, [ROW]))


def test_a_unique_key_that_is_there_twice_is_found():
    assert not all(result.passed for result in check_rows(${short}_quality, [ROW, ROW]))
''')
