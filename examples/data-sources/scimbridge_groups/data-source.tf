check "engineering_arrived" {
  data "scimbridge_groups" "engineering" {
    filter = {
      name = "Engineering"
    }
  }

  assert {
    condition     = one(data.scimbridge_groups.engineering.groups[*].managed) == true
    error_message = "The identity provider does not provision the group Engineering. Assign it there."
  }
}
