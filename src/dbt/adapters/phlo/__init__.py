"""Where dbt looks for the adapter ``type: phlo``; it is phlo.transform.adapter."""

from phlo.profiles import open_lake
from phlo.quality.gate import check_by_hand
from phlo.transform.adapter import plugin

Plugin = plugin(open_lake, check_by_hand)
