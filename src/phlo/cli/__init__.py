"""The command line: a lazy group, one module for each group of commands, and ``render.py``."""
