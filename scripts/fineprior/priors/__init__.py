"""From variant scores to prior causal probabilities."""
