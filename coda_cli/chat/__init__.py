"""A chat, whatever it is shown on: session, commands, drafts, attachments. Knows no user interface toolkit."""
