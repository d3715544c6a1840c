{{ config(materialized='table') }}
select
    o.order_id,
    o.customer_id,
    c.country_code,
    o.status,
    o.order_date,
    o.ordered_at,
    o.updated_at,
    coalesce(a.order_cents, 0) as order_cents,
    coalesce(a.items, 0) as items,
    o.status <> 'returned' as counts
from {{ ref('stg_orders') }} o
left join {{ ref('int_order_amounts') }} a using (order_id)
left join {{ ref('stg_customers') }} c on c.customer_id = o.customer_id
