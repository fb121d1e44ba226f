"""The chat on the whole screen, in Textual."""
