"""Checks from plugin packages; each is declared only where its package is installed.

`phlo-plugin-example` brings ThresholdCheck. Add it to the group `plugins` in pyproject.toml and run
`uv sync --group plugins`, or install it with pip.
"""

from __future__ import annotations

from importlib.util import find_spec

import phlo

if find_spec("phlo_example"):
    from phlo_example.quality import ThresholdCheck

    @phlo.quality(
        table="silver.fct_glucose_readings",
        checks=[
            # Readings above 250 mg/dL are worth a look when they are more than one in twenty.
            ThresholdCheck(column="glucose_mg_dl", max_value=250, tolerance=0.05),
        ],
        group="nightscout",
        blocking=False,
    )
    def glucose_threshold_quality():
        """High readings stay below 5 %."""
