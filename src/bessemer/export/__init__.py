"""Files that ship, and the proof that they answer as the model does."""
