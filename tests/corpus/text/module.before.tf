module "shop" {
  source = "git::https://example.com/modules.git//shop?ref=v3"
  image  = "ghcr.io/acme/shop:1.4.2" # tagwright: app
  tags   = { team = "a" }
}
