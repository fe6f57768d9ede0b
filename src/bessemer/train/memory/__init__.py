"""Less memory for activations: what the forward pass leaves for the backward pass.

They are computed again (`checkpointing`), rounded to 8 bits (`int8`), put on a disk or in the host's memory
(`offload`), or kept as means over channels (`pooled`); or fewer samples go through at once (`limit`). Each is a
plain function or context manager; `method` puts them into a run. Weights are never touched.
"""
