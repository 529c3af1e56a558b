"""How probable is it, by its scores, that a variant is causal?"""
