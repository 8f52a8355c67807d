# tagwright: app:tag
ENV VERSION=1.4.2 OTHER=1.4.2
# tagwright: app:tag
ENV VERSION 1.4.2
