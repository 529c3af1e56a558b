"""Files, settings, tables, provenance and logs; knows nothing of genetics."""
