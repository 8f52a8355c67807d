module "shop" {
  source = "git::https://example.com/modules.git//shop?ref=v3"
  image  = "ghcr.io/acme/shop:2.0.0" # tagwright: app
  tags   = { team = "a" }
}
