"""The operator port: health, metrics, and the API that the CLI speaks."""
