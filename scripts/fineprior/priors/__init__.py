"""How probable is it, given its scores and annotations, that a variant is causal?

Entry: `estimate` calls the stages of the walk for a study, one module each: `study` (variants, scores and signals of
all loci), `features`, `folds` (leaving out chromosomes), `candidates` (models and their held-out gains), `choice`
(which is used, and the verdict), `prior` (probabilities of a batch).
"""
