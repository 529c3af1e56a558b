"""What does a reader see?

Entry: `page` makes the report of a study.
"""
