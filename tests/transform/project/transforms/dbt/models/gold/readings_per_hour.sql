{{ config(materialized='view') }}

select hour_of_day, count(*) as readings, sum(is_in_range) as in_range
from {{ ref('fct_glucose_readings') }}
group by hour_of_day
