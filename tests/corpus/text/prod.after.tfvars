# shop

shop_tag = "2.0.0"   # {"$imagepolicy": "apps:app:tag"}
