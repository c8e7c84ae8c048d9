"""What is measured, against what. Never imported by ``app``."""
