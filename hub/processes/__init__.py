"""The processes of a hub: the parts that each is put together from, how it runs and ends, and several side by side."""
