{#- A model's schema is the name of its folder: bronze, silver, gold; marts_postgres is marts. `schema=` in a model wins. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set folders = (node.original_file_path | replace("\\", "/")).split("/")[:-1] -%}
    {%- if custom_schema_name is not none -%}
        {{ custom_schema_name | trim }}
    {%- elif "bronze" in folders -%}
        bronze
    {%- elif "silver" in folders -%}
        silver
    {%- elif "gold" in folders -%}
        gold
    {%- elif "marts_postgres" in folders or "marts" in folders -%}
        marts
    {%- else -%}
        {{ target.schema }}
    {%- endif -%}
{%- endmacro %}
