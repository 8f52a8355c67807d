# c
locals {
	tag = "1.4.2" # tagwright: app:tag
}