"""What the perceptual scores cost, beside what people run today: ``python -m benchmarks.perceptual``."""
