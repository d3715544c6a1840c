{{ config(materialized='ephemeral') }}

select * from {{ ref('stg_glucose_entries') }} where glucose_mg_dl > 0
