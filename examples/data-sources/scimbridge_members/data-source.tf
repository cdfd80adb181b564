# Members who were invited and have not accepted yet.
data "scimbridge_members" "invited" {
  filter = {
    managed = true
    state   = "invited"
  }
}

output "reminders" {
  value = data.scimbridge_members.invited.members[*].address
}
