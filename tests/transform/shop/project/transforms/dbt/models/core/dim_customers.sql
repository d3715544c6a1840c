with totals as (
    select customer_id, sum(order_cents) as cents, count(*) as orders, max(order_date) as last_order
    from {{ ref('int_orders') }}
    where counts
    group by customer_id
)
select
    c.customer_id,
    c.email,
    n.name as country,
    cast(coalesce(t.orders, 0) as bigint) as orders,
    cast(coalesce(t.cents, 0) as bigint) as cents,
    t.last_order,
    coalesce(t.cents, 0) >= {{ var('vip_cents') }} as is_vip
from {{ ref('stg_customers') }} c
left join totals t on t.customer_id = c.customer_id
left join {{ ref('countries') }} n on n.code = c.country_code
