"""Which head predicts the tracks, and how good is it?

Entry: `training` makes a head, `evaluation` judges it, `scores` scores variants with it.
"""
