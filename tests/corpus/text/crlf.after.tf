# c
locals {
	tag = "2.0.0" # tagwright: app:tag
}