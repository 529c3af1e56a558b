"""What would be found in a world whose truth is known?

Entry: `trait` simulates a disease, `scenarios` associations on real LD.
"""
