"""The line mode on prompt-toolkit: the accessible twin of the screen. Nothing is redrawn; what is said stays said."""
