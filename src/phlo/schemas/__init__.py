"""What a table's rows must look like: Pandera models read into columns, types and rules."""
