# shop

shop_tag = "1.4.2"   # {"$imagepolicy": "apps:app:tag"}
