"""Registration from the embeddings: correspondences, affine map, B-spline, dense end stage, transforms."""
