"""What does each rule read, call and write?

Entry: the function of the rule's name.
"""
