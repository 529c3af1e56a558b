"""Variants and their alleles, genomes, intervals, liftover and loci."""
