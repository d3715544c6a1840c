{% macro cents_to_amount(column) -%}
  cast({{ column }} as decimal(18, 2)) / 100
{%- endmacro %}

{#- Stands before the package's own, by the project's search order. -#}
{% macro default__greeting() -%}
  'hello from the shop'
{%- endmacro %}

{% macro recount(node) -%}
  {%- set found = run_query('select count(*) from ' ~ ref(node)) -%}
  {{ log(node ~ ' has ' ~ found.columns[0][0] ~ ' rows', info=true) }}
{%- endmacro %}

{% macro recount_all(schema, pattern) -%}
  {%- for relation in basket_utils.relations_like(schema, pattern) -%}
    {%- set found = run_query('select count(*) from ' ~ relation) -%}
    {{ log(relation.type ~ ' ' ~ relation.identifier ~ ' has ' ~ found.columns[0][0] ~ ' rows', info=true) }}
  {%- endfor -%}
{%- endmacro %}
