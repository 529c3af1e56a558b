"""Who has which allele, and which variants go together (LD)?

Entry: `panels` reads any panel, `ld` computes LD.
"""
