"""Raw data to even, normalized, repeatable batches."""
