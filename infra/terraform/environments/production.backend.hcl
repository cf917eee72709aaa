bucket = "example-galley-terraform"
key    = "production.tfstate"
region = "eu-central-1"
