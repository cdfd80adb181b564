#!/bin/sh
# Called by dpkg as `remove`, `purge` or `upgrade NEW-VERSION`, by rpm as `0` (removal) or `1` (upgrade).
# Only a purge deletes state, settings and credentials. rpm knows none.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true # the package must not be left half done
fi

if [ "$1" = purge ]; then
	# Below private/ is what the units' users own. A folder in the place of the link to there is of an account that
	# was made and never served, or of a bridge that another than the unit runs, such as Terraform: that one stays.
	rm -rf /var/lib/private/scim-bridge /var/lib/private/scim-bridge-account /var/lib/scim-bridge-account
	if [ -L /var/lib/scim-bridge ]; then
		rm /var/lib/scim-bridge
	fi
	for folder in /etc/credstore /etc/credstore.encrypted; do
		for name in session bearer-token monitoring-token smtp-password; do
			rm -f "$folder/scim-bridge.$name"
		done
	done
	rm -rf /etc/scim-bridge
fi
