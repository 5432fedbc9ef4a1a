"""HubClientInfo (OCPI 2.2.1, 14): the list that parties read, and telling them what changed."""
