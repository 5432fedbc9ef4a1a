"""The topics that others may read, as an AsyncAPI document that is made from the code."""
