"""Bytes to faces. Knows pixels; knows no HTTP and no classifier."""
