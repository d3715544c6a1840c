select entry_id, glucose_mg_dl from {{ ref('stg_glucose_entries') }} where glucose_mg_dl > {{ var('highest', 1000) }}
