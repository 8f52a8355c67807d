locals {
  shop = {
    repository = "ghcr.io/acme/shop" # tagwright: app:name
    tag        = "2.0.0" # tagwright: app:tag
  }
}
