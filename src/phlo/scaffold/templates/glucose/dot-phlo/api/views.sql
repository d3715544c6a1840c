-- The API's views over the marts: one for each mart, named by `meta.api_name` in its schema.yml.
--
-- Phlo's built-in API serves the marts under these names by itself and does not read this file. It is for
-- PostgREST or Hasura over a Postgres that holds the schema `marts`: psql -f .phlo/api/views.sql

create schema if not exists api;

create or replace view api.glucose_overview as
select
    reading_date,
    day_of_week,
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
    avg_glucose_7d_avg,
    time_in_range_7d_avg,
    estimated_a1c_7d_avg,
    high_variability_days_7d
from marts.mrt_glucose_overview;

create or replace view api.hourly_patterns as
select
    hour_of_day,
    reading_count,
    avg_glucose_mg_dl,
    median_glucose_mg_dl,
    min_glucose_mg_dl,
    max_glucose_mg_dl,
    stddev_glucose_mg_dl,
    cv_pct,
    time_below_70_pct,
    time_in_range_pct,
    time_above_180_pct
from marts.mrt_glucose_hourly_patterns;
