"""How likely is each variant to be causal, given its scores and annotations?

Entry: `estimate` calls the stages of the walk for a study, one module each: `study` (variants, scores and signals of
all loci), `features`, `candidates` (models), `folds` (estimates that leave out chromosomes), `gains` (on the
chromosomes left out), `choice` (which candidate is used, and the verdict), `prior` (probabilities of a batch).
"""
