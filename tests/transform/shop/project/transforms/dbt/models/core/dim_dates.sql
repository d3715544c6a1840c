with days as (
    {{ basket_utils.days_between(var('first_day'), var('last_day')) }}
)
select
    day,
    {{ dbt.date_trunc('month', 'day') }} as month,
    day_of_week(day) as weekday,
    {{ dbt.last_day('day', 'month') }} as month_end,
    {{ dbt.datediff("date '" ~ var('first_day') ~ "'", 'day', 'day') }} as day_number
from days
