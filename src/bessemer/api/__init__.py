"""The house from Python: one call each for what an engineer does with a torch module and data at hand."""
