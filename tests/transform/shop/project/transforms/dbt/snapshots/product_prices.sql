{% snapshot product_prices %}
{{ config(unique_key='product_id', strategy='check', check_cols=['price_cents']) }}
select product_id, name, price_cents from {{ source('till', 'products') }}
{% endsnapshot %}
