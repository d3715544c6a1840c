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


{#- Rights are no affair of a lake's tables: `grants` in a config is said to have no effect, once for each model. -#}
{% macro phlo__apply_grants(relation, grant_config, should_revoke=false) -%}
  {%- if grant_config -%}
    {%- do adapter.say('`grants` of ' ~ relation ~ ' has no effect: a lake\'s files and servers know their users') -%}
  {%- endif -%}
{%- endmacro %}


{% macro phlo__alter_relation_comment(relation, relation_comment) -%}
  {%- do adapter.write_comments(relation, relation_comment, {}) -%}
{%- endmacro %}


{% macro phlo__alter_column_comment(relation, column_dict) -%}
  {%- do adapter.write_comments(relation, none, column_dict) -%}
{%- endmacro %}


{% macro phlo__persist_docs(relation, model, for_relation, for_columns) -%}
  {%- if for_relation and config.persist_relation_docs() and model.description -%}
    {%- do alter_relation_comment(relation, model.description) -%}
  {%- endif -%}
  {%- if for_columns and config.persist_column_docs() and model.columns -%}
    {%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | list -%}
    {%- do alter_column_comment(relation, validate_doc_columns(relation, model.columns, there)) -%}
  {%- endif -%}
{%- endmacro %}


{#- dbt-trino asks an information schema, which the lake does not have. -#}
{% macro phlo__get_columns_in_relation(relation) -%}
  {{ return(adapter.get_columns_in_relation(relation)) }}
{%- endmacro %}
