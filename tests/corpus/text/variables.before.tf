variable "shop_tag" {
  type    = string
  // tagwright: app:tag
  default = "1.4.2"
}
