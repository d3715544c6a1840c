{#- A model's SELECT goes to the adapter as it is: Trino SQL, which the engine reads. Nothing is renamed into place,
    because nothing of a run is seen before its publish. -#}

{% materialization table, adapter='phlo', supported_languages=['sql'] %}
  {%- set target = this.incorporate(type='table') -%}
  {{ run_hooks(pre_hooks) }}
  {%- set response = adapter.write_table(target, compiled_code, config.get('partition_by')) -%}
  {%- do store_result('main', response=response) -%}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% materialization view, adapter='phlo', supported_languages=['sql'] %}
  {%- set target = this.incorporate(type='view') -%}
  {{ run_hooks(pre_hooks) }}
  {%- set response = adapter.write_view(target, compiled_code) -%}
  {%- do store_result('main', response=response) -%}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}
