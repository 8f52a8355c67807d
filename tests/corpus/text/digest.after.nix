{ pkgs }: {
  # tagwright: app:tag
  tag = "2.0.0";
  imageDigest = "sha256:2222222222222222222222222222222222222222222222222222222222222222"; # tagwright: app:digest
  sha256 = "sha256-abc";
}
