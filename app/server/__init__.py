"""The server process: sockets, signals, drain, and deadlines for headers and writes."""
