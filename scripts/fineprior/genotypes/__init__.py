"""Genotypes of panels and of a study's people, LD, LD scores and association."""
