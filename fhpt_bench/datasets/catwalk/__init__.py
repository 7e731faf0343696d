"""Catwalk, the embedded data set."""
