"""The stages of the matching pipeline, one in each file."""
