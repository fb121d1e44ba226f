"""The transcript: one widget that draws a whole conversation line by line."""
