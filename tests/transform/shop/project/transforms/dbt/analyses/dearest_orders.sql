select * from {{ ref('fct_orders') }} order by order_cents desc limit 5
