locals {
  shop = {
    repository = "ghcr.io/acme/shop" # tagwright: app:name
    tag        = "1.4.2" # tagwright: app:tag
  }
}
