{ pkgs }: {
  # tagwright: app:tag
  tag = "1.4.2";
  imageDigest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"; # tagwright: app:digest
  sha256 = "sha256-abc";
}
