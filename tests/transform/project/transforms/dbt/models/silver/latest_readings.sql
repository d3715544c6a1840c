{{ config(materialized='incremental', unique_key='entry_id', on_schema_change='append_new_columns') }}

select entry_id, glucose_mg_dl + {{ var('offset', 0) }} as glucose_mg_dl, reading_timestamp
from {{ ref('readings_above_zero') }}
{% if is_incremental() %}
where reading_timestamp >= (select max(reading_timestamp) from {{ this }})
{% endif %}
