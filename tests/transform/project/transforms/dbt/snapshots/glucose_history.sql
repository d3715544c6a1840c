{% snapshot glucose_history %}
{{ config(schema='silver', unique_key='entry_id', strategy='check', check_cols=['glucose_mg_dl']) }}
select entry_id, glucose_mg_dl + {{ var('offset', 0) }} as glucose_mg_dl
from {{ ref('stg_glucose_entries') }}
where entry_id in ('r000', 'r001', {{ "'r002'" if var('offset', 0) else "'r003'" }})
{% endsnapshot %}
