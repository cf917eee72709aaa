bucket = "example-galley-terraform"
key    = "staging.tfstate"
region = "eu-central-1"
