# The project's commands. `make test` installs what it needs; the rest says what is missing.

# Seconds that `make fuzz` gives each target.
FUZZ_SECONDS ?= 60
# Where `make man` and `make completions` write.
OUT ?= target/dist

.PHONY: help test lint fmt demo bench fuzz man completions licenses

help:
	@echo 'make test         install what the tests need, run them all, name the real parts used'
	@echo 'make lint         format, clippy, documentation, licences and bans'
	@echo 'make demo         the whole job on this machine, once'
	@echo 'make bench        whole passes, measured'
	@echo 'make fuzz         each fuzz target for FUZZ_SECONDS (60)'
	@echo 'make man          man pages into OUT (target/dist)'
	@echo 'make completions  shell completions into OUT (target/dist)'
	@echo 'make licenses     the licence texts of all dependencies into OUT (target/dist)'

test:
	tests/run.sh

lint:
	cargo fmt --check
	cargo clippy --locked --features full --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --features full --no-deps --document-private-items
	command -v cargo-deny >/dev/null || cargo install --locked cargo-deny
	cargo deny --locked check bans licenses sources

fmt:
	cargo fmt

demo:
	cargo run --locked -- demo --once

bench:
	cargo bench --locked --features full --bench passes

fuzz:
	FUZZ_SECONDS=$(FUZZ_SECONDS) fuzz/run.sh

man:
	cargo run --locked -- man $(OUT)/man

completions:
	for shell in bash zsh fish; do \
		mkdir -p $(OUT)/completions; \
		cargo run --locked --quiet -- completions $$shell > $(OUT)/completions/tagwright.$$shell || exit 1; \
	done

# From the sources that cargo unpacked, a folder a crate; libgit2 and ring keep some deeper down.
licenses:
	cargo fetch --locked
	mkdir -p $(OUT)/licenses
	@cargo tree --locked --features full --edges normal --prefix none --format '{p}' | awk 'NF == 2 { sub("v", "", $$2); print $$1 "-" $$2 }' | sort -u | \
	while read -r crate; do \
		source=$$(echo "$${CARGO_HOME:-$$HOME/.cargo}"/registry/src/*/"$$crate"); \
		mkdir -p "$(OUT)/licenses/$$crate"; \
		find "$$source" -maxdepth 3 \( -iname 'licen[cs]e*' -o -iname 'copying*' -o -iname 'notice*' \) -type f | \
		while read -r file; do cp "$$file" "$(OUT)/licenses/$$crate/$$(echo "$${file#$$source/}" | tr / -)"; done; \
	done
