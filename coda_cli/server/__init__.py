"""The server: a manager's events over a WebSocket, its page, and an endpoint that speaks as OpenAI's does."""
