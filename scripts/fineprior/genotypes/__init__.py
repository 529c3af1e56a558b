"""Which sample has which allele, and how are variants correlated (LD)?

Entry: `panels` reads any panel, `ld` computes LD.
"""
