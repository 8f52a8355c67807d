#!/bin/sh
set -eu
helm upgrade shop ./shop --set image.tag=1.4.2 --wait # tagwright: app:tag
