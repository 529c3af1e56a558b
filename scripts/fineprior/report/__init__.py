"""What does a reader see?

Entry: `page.render_page` makes the report of a study, `exports` tables for other programs.
"""
