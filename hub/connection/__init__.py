"""How platforms are connected: what this process sees of them, what all together conclude, who asks the silent ones."""
