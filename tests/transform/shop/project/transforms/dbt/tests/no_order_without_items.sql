select order_id from {{ ref('fct_orders') }} where items = 0
