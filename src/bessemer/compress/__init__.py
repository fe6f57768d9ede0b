"""Smaller and faster under a contract: pruning, distillation, quantization, search."""
