-- YOUR dbt model in YOUR project

{{ config(
    materialized='table',
    tags=['nightscout', 'bronze']
) }}

-- Clean and standardize raw glucose data
select
    _id as entry_id,
    sgv as glucose_mg_dl,
    cast(from_unixtime(date / 1000) as timestamp) as reading_timestamp,
    "dateString" as timestamp_iso,
    direction,
    coalesce(direction, 'NONE') as trend,
    device
from {{ source('raw_iceberg', 'glucose_entries') }}
where sgv is not null
