{#- Macros in the way of the packages that dbt's users share: each is dispatched, so that a project or an adapter can
    have its own; they look at columns and run queries while they compile. -#}

{% macro surrogate_key(columns) -%}
  {{ return(adapter.dispatch('surrogate_key', 'basket_utils')(columns)) }}
{%- endmacro %}

{% macro default__surrogate_key(columns) -%}
  {%- set parts = [] -%}
  {%- for column in columns -%}
    {%- do parts.append("coalesce(cast(" ~ column ~ " as " ~ dbt.type_string() ~ "), '_null_')") -%}
    {%- if not loop.last %}{%- do parts.append("'-'") -%}{%- endif -%}
  {%- endfor -%}
  {{ dbt.hash(dbt.concat(parts)) }}
{%- endmacro %}


{% macro days_between(first, last) -%}
  {{ return(adapter.dispatch('days_between', 'basket_utils')(first, last)) }}
{%- endmacro %}

{% macro default__days_between(first, last) -%}
  {%- set count = (modules.datetime.date.fromisoformat(last) - modules.datetime.date.fromisoformat(first)).days + 1 -%}
  with digits as (
    {% for digit in range(10) -%} select {{ digit }} as d {% if not loop.last %}union all {% endif %}{%- endfor %}
  ),
  numbers as (
    select ones.d + 10 * tens.d as n from digits ones cross join digits tens
  )
  select cast({{ dbt.dateadd('day', 'n', "cast('" ~ first ~ "' as date)") }} as date) as day
  from numbers
  where n < {{ count }}
{%- endmacro %}


{% macro values_of(relation, column) -%}
  {{ return(adapter.dispatch('values_of', 'basket_utils')(relation, column)) }}
{%- endmacro %}

{% macro default__values_of(relation, column) -%}
  {%- if not execute -%}{{ return([]) }}{%- endif -%}
  {%- call statement('values_of', fetch_result=true) -%}
    select {{ column }} as value from {{ relation }} group by {{ column }} order by count(*) desc, {{ column }}
  {%- endcall -%}
  {{ return(load_result('values_of')['data'] | map(attribute=0) | list) }}
{%- endmacro %}


{% macro pivot(column, values, then_value) -%}
  {{ return(adapter.dispatch('pivot', 'basket_utils')(column, values, then_value)) }}
{%- endmacro %}

{% macro default__pivot(column, values, then_value) -%}
  {%- for value in values %}
  sum(case when {{ column }} = '{{ dbt.escape_single_quotes(value) }}' then {{ then_value }} else 0 end)
    as {{ adapter.quote(value) }}{{ ',' if not loop.last }}
  {%- endfor -%}
{%- endmacro %}


{% macro union_relations(relations) -%}
  {{ return(adapter.dispatch('union_relations', 'basket_utils')(relations)) }}
{%- endmacro %}

{% macro default__union_relations(relations) -%}
  {%- if not execute -%}{{ return('') }}{%- endif -%}
  {%- set types = {} -%}
  {%- for relation in relations -%}
    {%- for column in adapter.get_columns_in_relation(relation) -%}
      {%- do types.setdefault(column.name, column.data_type) -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- for relation in relations %}
  {%- set own = adapter.get_columns_in_relation(relation) | map(attribute='quoted') | list %}
  (
    select
      cast({{ dbt.string_literal(relation) }} as {{ dbt.type_string() }}) as _of
      {%- for name, type in types.items() %},
      cast({{ adapter.quote(name) if adapter.quote(name) in own else 'null' }} as {{ type }}) as {{ adapter.quote(name) }}
      {%- endfor %}
    from {{ relation }}
  )
  {% if not loop.last %}union all{% endif -%}
  {%- endfor -%}
{%- endmacro %}


{% macro greeting() -%}
  {{ return(adapter.dispatch('greeting', 'basket_utils')()) }}
{%- endmacro %}

{% macro default__greeting() -%}
  'hello from the package'
{%- endmacro %}


{% macro relations_like(schema, pattern) -%}
  {{ return(adapter.dispatch('relations_like', 'basket_utils')(schema, pattern)) }}
{%- endmacro %}

{% macro default__relations_like(schema, pattern) -%}
  {%- call statement('relations_like', fetch_result=true) -%}
    select distinct table_schema as {{ adapter.quote('table_schema') }}, table_name as {{ adapter.quote('table_name') }},
      case table_type when 'BASE TABLE' then 'table' when 'VIEW' then 'view' else table_type end as kind
    from {{ target.database }}.information_schema.tables
    where lower(table_schema) = lower('{{ schema }}') and lower(table_name) like lower('{{ pattern }}')
    order by 1, 2
  {%- endcall -%}
  {%- set found = [] -%}
  {%- for row in load_result('relations_like')['table'] -%}
    {%- do found.append(api.Relation.create(
          database=target.database, schema=row.table_schema, identifier=row.table_name, type=row.kind)) -%}
  {%- endfor -%}
  {{ return(found) }}
{%- endmacro %}
