# Whoever was invited and has not signed up yet.
data "scimbridge_members" "invited" {
  filter = {
    managed = true
    state   = "invited"
  }
}

output "reminders" {
  value = data.scimbridge_members.invited.members[*].address
}
