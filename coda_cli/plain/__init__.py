"""The chat in line mode, on prompt-toolkit: nothing is ever redrawn."""
