"""What is done on AWS beside Terraform: moving the services to an image, and the product's own role in PostgreSQL."""
