select
    customer_id,
    lower(trim(email)) as email,
    country_code,
    cast(from_iso8601_timestamp(signed_up_at) at time zone 'UTC' as date) as signed_up_on,
    updated_at
from {{ source('till', 'customers') }}
