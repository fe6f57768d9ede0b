"""Telling classes apart."""
