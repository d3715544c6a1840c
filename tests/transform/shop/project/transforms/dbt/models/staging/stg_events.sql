{{ config(event_time='happened_at') }}
select event_id, customer_id, kind, happened_at
from {{ source('till', 'events') }}
