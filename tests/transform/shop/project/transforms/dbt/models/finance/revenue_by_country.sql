select
    n.name as country,
    sum(o.order_cents) as cents,
    round(sum(o.order_cents) / (1 + n.vat_percent / 100) / 100, 2) as net_amount,
    count(distinct o.customer_id) as customers
from {{ ref('int_orders') }} o
join {{ ref('countries') }} n on n.code = o.country_code
where o.counts
group by n.name, n.vat_percent
