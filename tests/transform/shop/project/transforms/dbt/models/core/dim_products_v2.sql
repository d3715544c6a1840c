select
    product_id,
    name,
    price_cents,
    colour,
    cardinality(sizes) as size_count,
    element_at(sizes, 1) as smallest
from {{ ref('stg_products') }}
