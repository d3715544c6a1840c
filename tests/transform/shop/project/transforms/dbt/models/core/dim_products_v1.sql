select product_id, name, price_cents from {{ ref('stg_products') }}
