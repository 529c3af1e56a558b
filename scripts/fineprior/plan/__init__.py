"""Which job reads which files, what would rerun, and why?

Entry: `inputs` for the rules, `explain` for users.
"""
