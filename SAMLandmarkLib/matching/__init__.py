"""From embeddings to matching points."""
