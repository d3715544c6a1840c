select
    d.day,
    coalesce(sum(o.order_cents), 0) as cents,
    sum(coalesce(sum(o.order_cents), 0)) over (order by d.day) as running_cents
from {{ ref('dim_dates') }} d
left join {{ ref('fct_orders') }} o on o.order_date = d.day and o.status <> 'returned'
group by d.day
