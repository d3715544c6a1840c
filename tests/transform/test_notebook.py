"""dbt and Phlo's queries side by side in a notebook: one process, a kernel's, for all its cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from phlo.profiles import Lake

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")]

CELLS = {
    """
from dbt.cli.main import dbtRunner
import phlo

def dbt(*arguments):
    place = "--project-dir transforms/dbt --profiles-dir transforms/dbt".split()
    return dbtRunner().invoke([*arguments, "--quiet", *place])

dbt("run", "--select", "stg_glucose_entries").success
""": "True",
    "phlo.query('select count(*) as n from bronze.stg_glucose_entries').to_pylist()": "[{'n': 288}]",
    "dbt('build', '--select', '+fct_glucose_readings').success": "True",
    "phlo.query('select max(glucose_mg_dl) as m from silver.fct_glucose_readings').to_pandas()": "     m\n0  259",
    """
try:
    1 / 0
except ZeroDivisionError:  # what a notebook shows of its last error is no error of dbt's
    ok = dbt("run", "--select", "readings_per_hour").success
ok
""": "True",
    """
from pathlib import Path
model = Path("transforms/dbt/models/gold/readings_per_hour.sql")
good = model.read_text()
model.write_text(good.replace("hour_of_day", "hour_of_nothing"))
failed = dbt("run", "--select", "readings_per_hour")
model.write_text(good)
failed.success, "hour_of_nothing" in failed.result.results[0].message
""": "(False, True)",
    "phlo.query('select sum(readings) as n from gold.readings_per_hour').to_pylist()": "[{'n': 288}]",
    "dbt('run', '--select', 'readings_per_hour').success": "True",
    "dbt('show', '--inline', 'select 1 as one').result.results[0].agate_table.columns[0][0]": "1",
    """
from phlo.profiles import open_lake
from phlo.transform.lineage import read_lineage
[str(column) for column in read_lineage(open_lake()).origins("gold.readings_per_hour", "in_range")]
""": "['raw.glucose_entries.sgv']",
}
"""Each cell with what it shows."""


def test_a_notebook_builds_with_dbt_and_queries_what_was_published(lake: Lake) -> None:
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    notebook = new_notebook(cells=[new_code_cell(source.strip()) for source in CELLS])
    place = {"metadata": {"path": str(lake.project.root)}}
    done = NotebookClient(notebook, timeout=180, kernel_name="python3", resources=place).execute()
    shown = [
        [output["data"]["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
        for cell in done.cells
    ]
    assert shown == [[expected] for expected in CELLS.values()]
    (kept,) = lake.catalog.refs()
    assert (kept.state, kept.selection) == ("failed", "dbt run")
