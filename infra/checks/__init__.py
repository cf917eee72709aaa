"""What can be proved about infra/terraform without AWS, without credentials and without a provider registry."""
