"""The pay sandbox, held against the real Stripe library over real HTTP."""
