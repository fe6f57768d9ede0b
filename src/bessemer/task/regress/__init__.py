"""Saying one or several numbers of a sample."""
