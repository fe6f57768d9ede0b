"""The rooms from Python: one function each, for plain torch modules and data as people have it at hand."""
