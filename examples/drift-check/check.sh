#!/bin/sh
# Plans, and says by the exit code what was found; nothing is changed.
#
#   0  the account is as it is written here, and the checks hold
#   1  the plan failed
#   2  somebody changed what Terraform manages: terraform apply puts it back
#   3  a check failed: something lies beside, or the bridge has problems
# With OpenTofu: TERRAFORM=tofu ./check.sh
set -u
cd "$(dirname "$0")" || exit 1

# A plan that is thrown away needs no lock: it must not stand in the way of an apply.
"${TERRAFORM:-terraform}" plan -detailed-exitcode -input=false -lock=false -no-color >plan.txt 2>&1
found=$?
cat plan.txt
if [ "$found" -eq 0 ] && grep -q "Check block assertion failed" plan.txt; then
  found=3
fi
rm -f plan.txt
exit "$found"
