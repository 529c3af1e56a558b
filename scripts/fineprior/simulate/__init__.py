"""The embedded study: a synthetic genome, its tracks, a panel and a GWAS."""
