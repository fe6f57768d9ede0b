"""The same training on several processes."""
