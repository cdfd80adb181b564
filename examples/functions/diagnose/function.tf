# What was wrong with a bridge whose machine is gone, from the log that is left.
output "remedies" {
  value = {
    for problem in provider::scimbridge::diagnose(file("${path.module}/bridge.log")) : problem.code => problem.remedy...
  }
}
