# By the domain.
terraform import 'scimbridge_signup_domain.company["example.com"]' example.com
