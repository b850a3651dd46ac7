"""Volumes, landmarks and results: the data model, in LPS millimetres and without file formats."""
