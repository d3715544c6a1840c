"""What the rows must look like."""
