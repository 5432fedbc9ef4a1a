"""The OCPI edge: takes the calls of parties and answers each with a well-formed envelope. Begin at pipeline.py."""
