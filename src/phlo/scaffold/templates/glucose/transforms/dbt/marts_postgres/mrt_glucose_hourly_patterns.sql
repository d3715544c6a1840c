{{ config(
    materialized='table',
    tags=['nightscout', 'marts']
) }}

with ranked as (

    select
        hour_of_day,
        glucose_mg_dl,
        row_number() over (partition by hour_of_day order by glucose_mg_dl) as rank_in_hour,
        count(*) over (partition by hour_of_day) as readings_in_hour
    from {{ ref('fct_glucose_readings') }}

)

select
    hour_of_day,
    count(*) as reading_count,
    avg(cast(glucose_mg_dl as double)) as avg_glucose_mg_dl,
    avg(
        case
            when 2 * rank_in_hour between readings_in_hour and readings_in_hour + 2
            then cast(glucose_mg_dl as double)
        end
    ) as median_glucose_mg_dl,
    min(glucose_mg_dl) as min_glucose_mg_dl,
    max(glucose_mg_dl) as max_glucose_mg_dl,
    stddev_samp(glucose_mg_dl) as stddev_glucose_mg_dl,
    100.0e0 * stddev_samp(glucose_mg_dl) / avg(cast(glucose_mg_dl as double)) as cv_pct,
    100.0e0 * count_if(glucose_mg_dl < 70) / count(*) as time_below_70_pct,
    100.0e0 * count_if(glucose_mg_dl between 70 and 180) / count(*) as time_in_range_pct,
    100.0e0 * count_if(glucose_mg_dl > 180) / count(*) as time_above_180_pct
from ranked
group by hour_of_day
