{#- A model's schema is the name of its folder: bronze, silver, gold, marts; marts_postgres is marts too.
    `schema=` in a model's config wins, and is taken as it is. A project's own generate_schema_name wins over this. -#}
{% macro phlo__generate_schema_name(custom_schema_name, node) -%}
  {%- if custom_schema_name is not none -%}
    {{ custom_schema_name | trim }}
  {%- else -%}
    {%- set found = namespace(schema=target.schema) -%}
    {%- for folder in (node.original_file_path if node else '').replace('\\', '/').split('/')[:-1] -%}
      {%- if folder in ('bronze', 'silver', 'gold', 'marts') -%}{%- set found.schema = folder -%}{%- endif -%}
      {%- if folder == 'marts_postgres' -%}{%- set found.schema = 'marts' -%}{%- endif -%}
    {%- endfor -%}
    {{ found.schema }}
  {%- endif -%}
{%- endmacro %}
