"""What does the GWAS say?

Entry: `reader` reads any format, `harmonise` brings it to the alleles of genome and panel.
"""
