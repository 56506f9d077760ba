"""Machine-learning models: the catalogue, the cache, and one module per family."""
