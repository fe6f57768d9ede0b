"""Networks, edits of networks as data, and their measure."""
