{{ config(
    materialized='table',
    tags=['nightscout', 'gold']
) }}

with ranked as (

    select
        reading_date,
        glucose_mg_dl,
        -- The median is the mean of the middle one or two: Trino's own approx_percentile only comes near it.
        row_number() over (partition by reading_date order by glucose_mg_dl) as rank_in_day,
        count(*) over (partition by reading_date) as readings_in_day
    from {{ ref('fct_glucose_readings') }}

),

daily as (

    select
        reading_date,
        count(*) as reading_count,
        avg(cast(glucose_mg_dl as double)) as avg_glucose_mg_dl,
        avg(
            case
                when 2 * rank_in_day between readings_in_day and readings_in_day + 2
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
    group by reading_date

)

select
    reading_date,
    reading_count,
    -- Share of the 288 readings of a day at one every 5 minutes.
    least(100.0e0, 100.0e0 * reading_count / 288) as coverage_pct,
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
from daily
