terraform {
  required_providers {
    scimbridge = {
      source = "scimbridge/scimbridge"
    }
  }
}

provider "scimbridge" {
  account_url = "https://account.example.com"
  # account_token comes from SCIMBRIDGE_ACCOUNT_TOKEN.
}
