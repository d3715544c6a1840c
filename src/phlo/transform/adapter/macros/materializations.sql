{#- A model's SELECT goes to the adapter as it is: SQL of the project's dialect, which the engine reads. Nothing is
    built under another name and renamed into place, because nothing of a run is seen before its publish. -#}

{% materialization table, adapter='phlo', supported_languages=['sql', 'python'] %}
  {%- set target = this.incorporate(type='table') -%}
  {{ run_hooks(pre_hooks) }}
  {{ phlo__check_contract() }}
  {%- do store_result('main', response=adapter.write_table(target, compiled_code, config.get('partition_by'), model)) -%}
  {%- do adapter.built(target, compiled_code, model) -%}
  {%- do apply_grants(target, config.get('grants'), should_revoke=false) -%}
  {%- do persist_docs(target, model) -%}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% materialization view, adapter='phlo', supported_languages=['sql'] %}
  {%- set target = this.incorporate(type='view') -%}
  {{ run_hooks(pre_hooks) }}
  {{ phlo__check_contract() }}
  {%- do store_result('main', response=adapter.write_view(target, compiled_code)) -%}
  {%- do adapter.built(target, compiled_code, model) -%}
  {%- do apply_grants(target, config.get('grants'), should_revoke=false) -%}
  {%- do persist_docs(target, model) -%}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% materialization incremental, adapter='phlo', supported_languages=['sql', 'python'] %}
  {%- set target = this.incorporate(type='table') -%}
  {%- set existing = load_cached_relation(this) -%}
  {{ run_hooks(pre_hooks) }}
  {{ phlo__check_contract() }}
  {%- if existing is none or existing.is_view or should_full_refresh() -%}
    {%- set response = adapter.write_table(target, compiled_code, config.get('partition_by'), model) -%}
  {%- else -%}
    {%- set response = adapter.write_increment(target, compiled_code, {
      'incremental_strategy': config.get('incremental_strategy'),
      'unique_key': config.get('unique_key'),
      'on_schema_change': incremental_validate_on_schema_change(config.get('on_schema_change'), default='ignore'),
      'merge_update_columns': config.get('merge_update_columns'),
      'merge_exclude_columns': config.get('merge_exclude_columns'),
      'incremental_predicates': config.get('predicates') or config.get('incremental_predicates'),
      'event_time': config.get('event_time'),
      'start': model.config.get('__dbt_internal_microbatch_event_time_start'),
      'end': model.config.get('__dbt_internal_microbatch_event_time_end'),
    }, model) -%}
  {%- endif -%}
  {%- do store_result('main', response=response) -%}
  {%- do adapter.built(target, compiled_code, model) -%}
  {%- do apply_grants(target, config.get('grants'), should_revoke=false) -%}
  {%- do persist_docs(target, model) -%}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% materialization seed, adapter='phlo' %}
  {%- set target = this.incorporate(type='table') -%}
  {{ run_hooks(pre_hooks) }}
  {%- set rows = load_agate_table() -%}
  {%- do store_result('agate_table', response='OK', agate_table=rows) -%}
  {%- do store_result('main', response=adapter.write_seed(target, rows, config.get('column_types') or {})) -%}
  {%- do apply_grants(target, config.get('grants'), should_revoke=false) -%}
  {%- do persist_docs(target, model) -%}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% materialization snapshot, adapter='phlo' %}
  {%- set target = this.incorporate(type='table') -%}
  {%- set existing = load_cached_relation(this) -%}
  {%- set columns = config.get('snapshot_table_column_names') or get_snapshot_table_column_names() -%}
  {%- set strategy = strategy_dispatch(config.get('strategy'))(
        model, 'snapshotted_data', 'source_data', model['config'], existing is not none) -%}
  {{ run_hooks(pre_hooks) }}
  {%- if existing is none -%}
    {%- set response = adapter.write_table(target, build_snapshot_table(strategy, compiled_code)) -%}
  {%- else -%}
    {%- do adapter.assert_valid_snapshot_target_given_strategy(existing, columns, strategy) -%}
    {%- set changes = snapshot_staging_table(strategy, compiled_code, target) -%}
    {%- set response = adapter.write_snapshot(target, changes, columns) -%}
  {%- endif -%}
  {%- do store_result('main', response=response) -%}
  {%- do adapter.built(target, build_snapshot_table(strategy, compiled_code), model) -%}
  {%- do apply_grants(target, config.get('grants'), should_revoke=false) -%}
  {%- do persist_docs(target, model) -%}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}


{% macro phlo__check_contract() -%}
  {%- if config.get('contract').enforced and model.language == 'sql' -%}
    {%- do get_assert_columns_equivalent(compiled_code) -%}
  {%- endif -%}
{%- endmacro %}
