"""What users think of it."""
