"""The way of the rows: extract → stage → validate → write.

``extract.pages(ingestion, partition, reporter)``
    calls the user's function and yields its rows in pages (lists of dicts, or Arrow batches); the only door to dlt.
``stage.stage(ingestion, partition, folder, load_id, reporter) -> Staged``
    writes the pages to Parquet as they arrive and marks a finished stage, so that a resumed run or a replay uses it
    again; may be called from several threads.
``arrivals.arriving(loads, run_id, staging, reporter, parallel)``
    stages loads in threads and gives them to be read meanwhile, part by part.
``validate.validate(staged, schema, ingestion, good, rejected, reporter) -> Validated``
    casts each cell, runs Pandera's checks on the rest, and sorts the rows into two spools with their reasons.
``write.write_loads(ingestion, staged, engine, catalog, ref, reporter) -> list[Loaded]``
    validates and applies staged partitions in ascending order, in one snapshot where the strategy allows it, and
    records each load on the ref's ledger. A load that the ref has already is skipped.

``replay.Replay(…)(reporter, partition) -> Replayed``
    judges rejected rows again, and writes those that pass now.

``write.load_id(run_id, table, partition) -> str`` names a load; ``write.summarize(loads) -> list[Loaded]`` adds
loads up by table, ``write.remarks(loads) -> list[str]`` says of them what counts do not;
``validate.validate_rows(rows, schema, keys) -> (good, rejected)`` is the same judgement in memory.
``extract.spec_rest_api()`` is open while workflows are imported and while their functions run.
"""
