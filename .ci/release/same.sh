#!/usr/bin/env bash
# Builds the snapshot of HEAD twice, in fresh clones at two paths and under
# different settings of the shell, and lists the files of dist/ that differ.
# Arguments are platforms to build for; without one, all are.
#
# metadata.json, artifacts.json and config.yaml are goreleaser's notes on the run,
# with its time of day, in no fixed order. They are never published.
set -euo pipefail

root=$(git -C "$(dirname "${BASH_SOURCE[0]}")" rev-parse --show-toplevel)
commit=$(git -C "$root" rev-parse HEAD)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

snapshot() { # folder
	git clone -q --no-hardlinks "$root" "$1"
	git -C "$1" checkout -q --detach "$commit"
	make -C "$1" snapshot TARGETS="$TARGETS" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
	(cd "$1/dist" && find . -type f ! -name metadata.json ! -name artifacts.json ! -name config.yaml -print0 |
		sort -z | xargs -0 sha256sum)
}

export TARGETS="$*"
unset GPG_FINGERPRINT # a signature has the time in it
(umask 022 && TZ=UTC LC_ALL=C snapshot "$work/clone") >"$work/first"
(umask 077 && TZ=Asia/Kathmandu LC_ALL=C.UTF-8 snapshot "$work/another/and/longer path/to a clone") >"$work/second"

if ! diff "$work/first" "$work/second"; then
	echo "these files differ between two builds of one commit"
	exit 1
fi
echo "$(wc -l <"$work/first") files of dist/ are the same in both"
