"""Summary statistics: reading every format, and harmonising them with genome and panel."""
