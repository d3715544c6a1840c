"""Where dbt looks for the adapter."""
