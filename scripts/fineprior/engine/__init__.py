"""What does a sequence model make of both alleles?

Entry: `embeddings`. Only this room and `heads` import torch.
"""
