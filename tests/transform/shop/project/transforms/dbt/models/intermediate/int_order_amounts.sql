{{ config(materialized='ephemeral') }}
select order_id, sum(item_cents) as order_cents, count(*) as items
from {{ ref('stg_order_items') }}
group by order_id
