"""Is a file whole, and what are its columns?

Entry: `reading.reading` guards every reader, `whole` writes files, `table` and `tables` say what columns they have.
"""
