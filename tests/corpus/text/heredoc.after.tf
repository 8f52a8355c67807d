user_data = <<-EOT
  #!/bin/sh
  docker run -d -p 8080:80 --name shop \
    ghcr.io/acme/shop:2.0.0 # tagwright: app
EOT
