#!/bin/sh
set -eu
helm upgrade shop ./shop --set image.tag=2.0.0 --wait # tagwright: app:tag
