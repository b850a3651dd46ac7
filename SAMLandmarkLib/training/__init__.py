"""Self-supervised training of the embedding network from unlabelled CT volumes."""
