"""What would be found in a world whose truth is known?

Entry: `embedded.embedded_study` simulates a whole study, `scenarios` associations on real LD.
"""
