# The problems in the log of a bridge that no longer runs.
output "remedies" {
  value = {
    for problem in provider::scimbridge::diagnose(file("${path.module}/bridge.log")) : problem.code => problem.remedy...
  }
}
