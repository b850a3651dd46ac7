"""Embeddings of whole volumes."""
