"""SuSiE with prior weights, and its credible sets."""
