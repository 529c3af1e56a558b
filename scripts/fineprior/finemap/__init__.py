"""Which variants are causal, given z-scores, LD and a prior?

Entry: `susie` for one locus, `locus` for one of the pipeline.
"""
