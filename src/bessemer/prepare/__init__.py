"""Raw files to shards of clean samples, with an account of every row."""
