"""Variants, summary statistics, genotypes, LD and loci."""
