"""What the service tells its operator: metrics, totals, logs and traces. None of it says who was seen."""
