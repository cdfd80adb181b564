#!/bin/sh
# Makes a plan and changes nothing. The exit code says what was found:
#
#   0  no drift, and all checks pass
#   1  the plan failed
#   2  a managed object was changed by hand: terraform apply restores it
#   3  a check failed: there are unmanaged rules or domains, or the bridge has problems
#
# With OpenTofu: TERRAFORM=tofu ./check.sh
set -u
cd "$(dirname "$0")" || exit 1

# The plan is not applied, so it takes no lock: an apply need not wait for it.
"${TERRAFORM:-terraform}" plan -detailed-exitcode -input=false -lock=false -no-color >plan.txt 2>&1
found=$?
cat plan.txt
if [ "$found" -eq 0 ] && grep -q "Check block assertion failed" plan.txt; then
  found=3
fi
rm -f plan.txt
exit "$found"
