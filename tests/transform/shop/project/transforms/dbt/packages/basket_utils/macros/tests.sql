{% test unique_together(model, columns) %}
  {{ return(adapter.dispatch('test_unique_together', 'basket_utils')(model, columns)) }}
{% endtest %}

{% macro default__test_unique_together(model, columns) %}
with errors as (
  select {{ columns | join(', ') }} from {{ model }} group by {{ columns | join(', ') }} having count(*) > 1
)
select * from errors
{% endmacro %}


{% test expression_holds(model, expression, column_name=none) %}
  {{ return(adapter.dispatch('test_expression_holds', 'basket_utils')(model, expression, column_name)) }}
{% endtest %}

{% macro default__test_expression_holds(model, expression, column_name) %}
{%- set columns = '*' if should_store_failures() else '1' %}
select {{ columns }} from {{ model }} where not ({{ column_name or '' }} {{ expression }})
{% endmacro %}


{% test in_set(model, column_name, values) %}
select {{ column_name }} as found, count(*) as n
from {{ model }}
where {{ column_name }} not in ({% for value in values %}'{{ value }}'{{ ', ' if not loop.last }}{% endfor %})
group by {{ column_name }}
{% endtest %}


{% test expect_column_values_to_be_between(model, column_name, min_value=none, max_value=none, strictly=false) %}
{%- set expression -%}
(1 = 1
{%- if min_value is not none %} and {{ column_name }} >{{ '' if strictly else '=' }} {{ min_value }}{% endif %}
{%- if max_value is not none %} and {{ column_name }} <{{ '' if strictly else '=' }} {{ max_value }}{% endif %}
)
{%- endset %}
with grouped_expression as (
  select {{ expression }} as expression from {{ model }}
),
validation_errors as (
  select * from grouped_expression where not (expression = true)
)
select * from validation_errors
{% endtest %}


{% test same_total(model, column, other) %}
with a as (select sum({{ column }}) as total from {{ model }}),
b as (select sum({{ column }}) as total from {{ other }}),
final as (select a.total as ours, b.total as theirs from a cross join b)
select * from final where ours <> theirs
{% endtest %}
