"""Places: AWS by Terraform, your own machine, the container image, and the pay sandbox that stands in for Stripe."""
