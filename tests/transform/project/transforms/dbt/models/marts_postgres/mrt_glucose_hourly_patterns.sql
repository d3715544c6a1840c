{{ config(materialized='table', meta={'api_name': 'hourly_patterns'}) }}

select hour_of_day, readings, 100.0e0 * in_range / readings as time_in_range_pct
from {{ ref('readings_per_hour') }}
