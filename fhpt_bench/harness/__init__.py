"""The stages between a model's name and its record: models, generate, measure, summarise; each rests on disk."""
