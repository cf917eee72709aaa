"""Placing the product: what Terraform, the image and the guides say agrees with what the code is."""
