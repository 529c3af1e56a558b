"""Is what is on disk whole, and what does it hold?

Entry: `reading.reading` guards every reader, `whole` writes files, `table` and `tables` say what columns they have.
"""
