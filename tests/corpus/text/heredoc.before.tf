user_data = <<-EOT
  #!/bin/sh
  docker run -d -p 8080:80 --name shop \
    ghcr.io/acme/shop:1.4.2 # tagwright: app
EOT
