"""MLflow: a mirror of the records, and the registry of models."""
