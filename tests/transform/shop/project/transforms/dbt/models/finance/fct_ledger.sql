{{ config(materialized='incremental', incremental_strategy='append', post_hook=[
    "delete from audit.builds where node = 'ledger'",
    "insert into audit.builds select 'ledger', count(*) from {{ this }}"
]) }}
{%- set newest = 0 -%}
{%- if is_incremental() -%}
  {%- call statement('newest', fetch_result=true) -%}
    select max(payment_id) as newest from {{ this }}
  {%- endcall -%}
  {%- set newest = load_result('newest')['data'][0][0] -%}
{%- endif -%}
select payment_id, order_id, amount_cents, 'in' as direction
from {{ ref('stg_payments') }}
where payment_id > {{ newest }}
