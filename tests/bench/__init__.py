"""`make bench`: what the hub costs beside a reference in the same run. How to read it: README.md beside this file."""
