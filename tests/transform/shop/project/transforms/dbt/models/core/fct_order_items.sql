{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['order_id', 'line'],
          partition_by='month(order_date)') }}
select i.item_key, i.order_id, i.line, i.product_id, i.quantity, i.item_cents, o.order_date
from {{ ref('stg_order_items') }} i
join {{ ref('stg_orders') }} o on o.order_id = i.order_id
{% if is_incremental() %}
where o.order_date >= (select {{ dbt.dateadd('day', -2, 'max(order_date)') }} from {{ this }})
{% endif %}
