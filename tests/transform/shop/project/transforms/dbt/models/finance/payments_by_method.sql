{%- set methods = basket_utils.values_of(ref('stg_payments'), 'method') -%}
select
    order_id
    {{- ',' if methods }}
    {{ basket_utils.pivot('method', methods, 'amount_cents') }}
from {{ ref('stg_payments') }}
group by order_id
