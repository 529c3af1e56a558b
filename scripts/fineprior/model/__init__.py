"""Backbone, embeddings, heads and variant scores (the only room that imports torch)."""
