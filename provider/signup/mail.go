package signup

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
)

// publicMail are the largest domains under which everyone can get an address.
var publicMail = map[string]bool{
	"126.com": true, "163.com": true, "aol.com": true, "duck.com": true, "fastmail.com": true, "free.fr": true,
	"gmail.com": true,
	"gmx.com":   true, "gmx.de": true, "gmx.net": true, "googlemail.com": true, "hey.com": true, "hotmail.co.uk": true,
	"hotmail.com": true,
	"hotmail.fr":  true, "icloud.com": true, "laposte.net": true, "libero.it": true, "live.com": true, "mac.com": true,
	"mail.com": true,
	"mail.ru":  true, "mailbox.org": true, "me.com": true, "msn.com": true, "naver.com": true, "orange.fr": true,
	"outlook.com": true,
	"outlook.de":  true, "outlook.fr": true, "pm.me": true, "posteo.de": true,
	"proton.me": true, "protonmail.com": true,
	"qq.com":         true,
	"rediffmail.com": true, "seznam.cz": true, "t-online.de": true, "tuta.com": true, "tutanota.com": true,
	"uol.com.br": true,
	"wanadoo.fr": true, "web.de": true, "wp.pl": true, "yahoo.co.jp": true, "yahoo.co.uk": true, "yahoo.com": true,
	"yahoo.de": true,
	"yahoo.fr": true, "yandex.com": true, "yandex.ru": true, "zoho.com": true,
}

// warnPublicMail warns of domains of public mail providers. It is called only for new
// domains, so that an empty plan has no warning.
func warnPublicMail(at path.Path, names []string, diags *diag.Diagnostics) {
	var open []string
	for _, name := range names {
		if publicMail[name] {
			open = append(open, name)
		}
	}
	if len(open) > 0 {
		diags.AddAttributeWarning(at, "Domain of a public mail provider", fmt.Sprintf(
			"Anyone can get an address under %s and sign up to this account through the sign-up link. "+
				"To add single people, invite them instead.", listing(open)))
	}
}
