#!/bin/sh
# Called by dpkg as `configure [OLD-VERSION]`, by rpm as `1` (first installation) or `2` (upgrade).
# Nothing is enabled or started that was not: a bridge needs a session, an account its database.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true # the package must not be left half done
	systemctl try-restart scim-bridge-account.service scim-bridge.service || true
fi

if [ "$1" = 1 ] || { [ "$1" = configure ] && [ -z "$2" ]; }; then
	echo "scim-bridge is installed and nothing of it is started. How to set it up:"
	echo "https://github.com/scimbridge/terraform-provider-scimbridge/blob/main/docs/guides/package.md"
fi
