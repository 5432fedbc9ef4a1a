"""`ocpi-hub doctor`: what keeps a hub with these settings from its work, and what to do about it. Changes nothing."""
