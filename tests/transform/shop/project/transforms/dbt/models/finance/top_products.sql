{{ config(materialized='view', group='finance', access='protected') }}
select product_id, name, colour, sold, place
from (
    select p.product_id, p.name, p.colour, sum(i.quantity) as sold,
        rank() over (order by sum(i.quantity) desc, p.product_id) as place
    from {{ ref('fct_order_items') }} i
    join {{ ref('dim_products') }} p on p.product_id = i.product_id
    group by p.product_id, p.name, p.colour
) as ranked
where place <= 3
