"""Which bases, and which signal over them?

Entry: `windows` of variants, `tracks` of training regions.
"""
