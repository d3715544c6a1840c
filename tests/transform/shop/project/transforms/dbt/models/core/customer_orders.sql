select
    customer_id,
    array_join(array_agg(cast(order_id as varchar) order by ordered_at, order_id), ',') as order_ids,
    map_agg(order_id, order_cents) as cents_by_order,
    max_by(order_id, order_cents) as dearest
from {{ ref('int_orders') }}
group by customer_id
