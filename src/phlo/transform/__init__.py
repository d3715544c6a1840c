"""dbt on a ref: the models' graph, running them, and the adapter ``type: phlo`` through which dbt reads and writes."""
