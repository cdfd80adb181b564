#!/bin/sh
# Called by dpkg as `remove` or `upgrade NEW-VERSION`, by rpm as `0` (removal) or `1` (upgrade).
# An upgrade leaves running what runs, until the new version restarts it.
set -e

case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl stop scim-bridge.service scim-bridge-account.service || true # the package must not be left half done
	fi
	if command -v systemctl >/dev/null; then
		systemctl disable scim-bridge.service scim-bridge-account.service || true
	fi
	;;
esac
