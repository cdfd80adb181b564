import {
  to = scimbridge_directory.this
  identity = {
    id = "eyJhbGciOiJkaXIiLCJkaXJlY3RvcnkiOi..." # the sealed session itself
  }
}
