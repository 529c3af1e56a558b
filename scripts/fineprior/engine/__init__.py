"""What does a sequence model make of both alleles?

Entry: `variant_embeddings`, and `region_embeddings` for training. Only this room and `heads` import torch.
"""
