{#- dbt's own materializations (data tests that store their failures, unit tests) build relations by statements. Here
    the adapter builds them, and the statement that is left to run is empty. -#}

{% macro phlo__create_table_as(temporary, relation, compiled_code, language='sql') -%}
  {%- if temporary -%}
    {%- do adapter.write_scratch(relation, compiled_code) -%}
  {%- else -%}
    {%- do adapter.write_table(relation, compiled_code) -%}
  {%- endif -%}
{%- endmacro %}


{% macro phlo__create_view_as(relation, sql) -%}
  {%- do adapter.write_view(relation, sql) -%}
{%- endmacro %}


{#- default__date calls a function of Oracle's, which Trino does not read in this form. -#}
{% macro phlo__date(year, month, day) -%}
  date '{{ modules.datetime.date(year, month, day) }}'
{%- endmacro %}
