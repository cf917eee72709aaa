environment         = "staging"
region              = "eu-central-1"
domain              = "staging.shop.example.com"
zone_name           = "example.com"
mail_domain         = "staging.example.com"
sender              = "Galley staging <hello@staging.example.com>"
alarm_email         = "operations@example.com"
github_repository   = "example/galley"
has_github_provider = true
nat_gateways        = 1
database            = { class = "db.t4g.micro", storage_gb = 20, connections = 60, is_multi_az = false, backup_days = 7 }
cache               = { class = "cache.t4g.micro", nodes = 1 }
web                 = { cpu = 256, memory = 512, min = 1, max = 2 }
