"""Sequence windows, motifs and genome tracks."""
