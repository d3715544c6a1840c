with stepped as (
    select
        *,
        {{ dbt.datediff('lag(happened_at) over (partition by customer_id order by happened_at, event_id)',
                        'happened_at', 'minute') }} as minutes_since
    from {{ ref('stg_events') }}
),
numbered as (
    select *, sum(if(minutes_since is null or minutes_since > 30, 1, 0))
        over (partition by customer_id order by happened_at, event_id) as session
    from stepped
)
select
    {{ dbt.hash("cast(customer_id as varchar) || '-' || cast(session as varchar)") }} as session_key,
    customer_id,
    session,
    min(happened_at) as began,
    count(*) as events,
    count(*) filter (where kind = 'buy') as buys
from numbered
group by customer_id, session
