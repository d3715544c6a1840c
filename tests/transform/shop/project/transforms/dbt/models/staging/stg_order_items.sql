select
    {{ basket_utils.surrogate_key(['order_id', 'line']) }} as item_key,
    i.*,
    quantity * unit_cents as item_cents
from {{ source('till', 'order_items') }} as i
