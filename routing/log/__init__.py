"""The log port and its engines: the durable, partitioned sequence of accepted events."""
