"""How the shipped backbone was made."""
