"""The ledger: what each technique of a recipe bought and cost, from runs with and without it on the same seed."""
