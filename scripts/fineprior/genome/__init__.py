"""Where on the genome?

Entry: `fasta` reads bases, `bed` and `intervals` stretches, `loci` finds loci.
"""
