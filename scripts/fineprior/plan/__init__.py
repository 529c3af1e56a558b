"""Which files and values does each job depend on, what would rerun, and why?

Entry: `inputs` and `params` for the rules of the workflow, `explain` and `verify` for users.
"""
