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

),

hourly as (

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
        100.0e0 * count_if(glucose_mg_dl < 54) / count(*) as time_below_54_pct,
        100.0e0 * count_if(glucose_mg_dl < 70) / count(*) as time_below_70_pct,
        100.0e0 * count_if(glucose_mg_dl between 70 and 180) / count(*) as time_in_range_pct,
        100.0e0 * count_if(glucose_mg_dl > 180) / count(*) as time_above_180_pct,
        100.0e0 * count_if(glucose_mg_dl > 250) / count(*) as time_above_250_pct
    from ranked
    group by hour_of_day

)

select
    hour_of_day,
    reading_count,
    avg_glucose_mg_dl,
    median_glucose_mg_dl,
    min_glucose_mg_dl,
    max_glucose_mg_dl,
    stddev_glucose_mg_dl,
    100.0e0 * stddev_glucose_mg_dl / avg_glucose_mg_dl as cv_pct,
    time_below_54_pct,
    time_below_70_pct,
    time_in_range_pct,
    time_above_180_pct,
    time_above_250_pct,
    -- Bergenstal et al. 2018
    3.31e0 + 0.02392e0 * avg_glucose_mg_dl as gmi_pct,
    -- Nathan et al. 2008
    (avg_glucose_mg_dl + 46.7e0) / 28.7e0 as estimated_a1c_pct
from hourly
