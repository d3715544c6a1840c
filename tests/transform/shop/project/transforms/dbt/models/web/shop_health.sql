{%- set rows = run_query('select count(*) as n from ' ~ ref('countries')) -%}
{%- set there = adapter.get_relation(database=target.database, schema='raw', identifier='orders') -%}
{%- set gone = adapter.get_relation(database=target.database, schema='raw', identifier='nowhere') -%}
select
    {{ rows.columns[0][0] if execute else 0 }} as countries,
    {{ 'true' if there is not none else 'false' }} as has_orders,
    {{ 'true' if gone is not none else 'false' }} as has_nowhere,
    '{{ adapter.get_columns_in_relation(ref("dim_dates")) | map(attribute="name") | join(" ") }}' as date_columns,
    {{ dbt.safe_cast("'12x'", api.Column.translate_type('integer')) }} as not_a_number,
    cast('7' as {{ dbt.type_string() }}) as text,
    {{ basket_utils.greeting() }} as greeting,
    {{ dbt.concat(["'a'", "'b'"]) }} || {{ dbt.split_part("'x-y'", "'-'", 2) }} as joined
