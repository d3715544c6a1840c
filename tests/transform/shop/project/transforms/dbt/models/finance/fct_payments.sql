{{ config(materialized='incremental', unique_key='payment_id', on_schema_change='append_new_columns') }}
select * from {{ ref('stg_payments') }}
{% if is_incremental() %}
where payment_id > (select max(payment_id) from {{ this }})
{% endif %}
