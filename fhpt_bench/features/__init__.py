"""The networks behind the metrics."""
