"""One function per rule: read, compute, write."""
