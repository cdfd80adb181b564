# terraform query -generate-config-out=domains.tf
list "scimbridge_signup_domain" "all" {
  provider = scimbridge
  limit    = 1000 # 100 unless set
}
