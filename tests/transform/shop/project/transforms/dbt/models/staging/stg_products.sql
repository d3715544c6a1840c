select
    product_id,
    name,
    price_cents,
    json_extract_scalar(attributes, '$.colour') as colour,
    cast(json_extract(attributes, '$.sizes') as array(integer)) as sizes
from {{ source('till', 'products') }}
