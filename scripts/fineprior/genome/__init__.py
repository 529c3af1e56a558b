"""Where on the genome?

Entry: `fasta` reads bases, `bed` and `intervals` stretches, `loci` finds loci;
`genes` reads genes, `consequences` says what variants do to them.
"""
