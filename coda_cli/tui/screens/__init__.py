"""What covers the chat for a moment: pickers, help, settings, the tree."""
