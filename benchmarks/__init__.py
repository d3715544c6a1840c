"""What Phlo costs beside others: ``python -m benchmarks [NAME …] [--quick]``.

Every module with a function ``tables(quick)`` is a benchmark.
"""
