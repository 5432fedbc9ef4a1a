"""The archive: every exchange is found for some days, by what it was about."""
