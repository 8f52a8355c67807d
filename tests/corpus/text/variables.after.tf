variable "shop_tag" {
  type    = string
  // tagwright: app:tag
  default = "2.0.0"
}
