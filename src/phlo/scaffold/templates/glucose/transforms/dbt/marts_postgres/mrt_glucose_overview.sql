{{ config(
    materialized='table',
    tags=['nightscout', 'marts']
) }}

-- The 7-day averages take a day and the 6 calendar days before it, as far as they have readings.
select
    reading_date,
    day_of_week(reading_date) as day_of_week,
    reading_count,
    coverage_pct,
    avg_glucose_mg_dl,
    median_glucose_mg_dl,
    min_glucose_mg_dl,
    max_glucose_mg_dl,
    stddev_glucose_mg_dl,
    cv_pct,
    time_below_54_pct,
    time_below_70_pct,
    time_in_range_pct,
    time_above_180_pct,
    time_above_250_pct,
    gmi_pct,
    estimated_a1c_pct,
    avg(avg_glucose_mg_dl) over last_7_days as avg_glucose_7d_avg,
    avg(time_in_range_pct) over last_7_days as time_in_range_7d_avg,
    avg(estimated_a1c_pct) over last_7_days as estimated_a1c_7d_avg,
    count_if(cv_pct > 40) over last_7_days as high_variability_days_7d
from {{ ref('fct_daily_glucose_metrics') }}
window last_7_days as (order by reading_date range between interval '6' day preceding and current row)
