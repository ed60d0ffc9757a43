"""Who calls, and what they may call: tokens, the authenticator that gives them, roles."""
