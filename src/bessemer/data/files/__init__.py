"""Files of rows (CSV, TSV, JSON Lines, Parquet), read in pieces: by preparation and by `predict`."""
