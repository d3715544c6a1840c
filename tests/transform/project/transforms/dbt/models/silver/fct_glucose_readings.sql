-- YOUR business logic in YOUR project

{{ config(
    materialized='table',
    tags=['nightscout', 'silver']
) }}

select
    entry_id,
    glucose_mg_dl,
    reading_timestamp,

    -- YOUR time dimensions
    extract(hour from reading_timestamp) as hour_of_day,
    day_of_week(reading_timestamp) as day_of_week,

    -- YOUR business logic for glucose categories
    case
        when glucose_mg_dl < 70 then 'hypoglycemia'
        when glucose_mg_dl between 70 and 180 then 'in_range'
        when glucose_mg_dl > 180 then 'hyperglycemia'
    end as glucose_category,

    -- YOUR KPI calculations
    case when glucose_mg_dl between 70 and 180 then 1 else 0 end as is_in_range

from {{ ref('stg_glucose_entries') }}
