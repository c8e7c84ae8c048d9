"""The programs that are put under load, each started as a process of its own."""
