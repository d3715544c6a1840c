{{ config(materialized='view') }}
select kind, count(*) as events, approx_distinct(customer_id) as people
from {{ ref('fct_daily_events') }}
group by kind
