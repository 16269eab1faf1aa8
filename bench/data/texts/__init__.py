"""Texts to vectors: BEIR folders, LSA, models, writing embeddings."""
