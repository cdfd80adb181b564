check "no_bridge_was_refused" {
  data "scimbridge_sign_in_attempts" "today" {
    since = timeadd(plantimestamp(), "-24h")
    limit = 1000
  }

  assert {
    condition = alltrue([
      for attempt in data.scimbridge_sign_in_attempts.today.attempts : contains(["ok", "reported"], attempt.result)
    ])
    error_message = "Sign-ins were refused within the last day."
  }
}
