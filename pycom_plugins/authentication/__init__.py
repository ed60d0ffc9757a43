"""Authentication and authorization: tokens, the authenticator that gives them, roles."""
