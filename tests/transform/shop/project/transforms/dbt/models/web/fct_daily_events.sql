{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='happened_at',
          batch_size='day', begin='2024-03-01', lookback=1) }}
select event_id, customer_id, kind, happened_at from {{ ref('stg_events') }}
