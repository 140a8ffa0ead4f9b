"""The search for the fastest variant that passes the gate, measured on this machine."""
