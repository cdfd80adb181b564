package main

import (
	"bytes"
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata/ipdatatest"
)

// Rules on countries need --ip-database: to be written, and from then on for
// the account to start at all.
func TestIPDatabase(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	admin := strings.TrimSpace(output(t, "account", "init", "--database", database, "--name", "Acme"))
	country := ipdatatest.Write(t, "country",
		map[string]ipdatatest.Record{"127.0.0.2/32": ipdatatest.Country("FR", "EU")})
	asn := ipdatatest.Write(t, "asn", map[string]ipdatatest.Record{"127.0.0.2/32": ipdatatest.ASN(16509)})

	var rule string
	serving(t, []string{"--database", database, "--ip-database", country}, func(base string, log *sharedBuffer) {
		if !strings.Contains(log.String(), country) ||
			!strings.Contains(log.String(), `answer=["country", "continent"]`) {
			t.Errorf("the log does not tell what the databases are good for:\n%s", log.String())
		}
		made := request(t, "POST", base+"/v1/firewall/rules", admin, `{"action":"deny","countries":["FR"]}`)
		rule, _ = made["id"].(string)
		if rule == "" {
			t.Fatalf("a rule on a country: %v", made)
		}
		refused := request(t, "POST", base+"/v1/firewall/rules", admin,
			`{"action":"deny","anonymous_ips":["cloud_provider"]}`)
		if refused["code"] != "ip_database_required" {
			t.Errorf("a rule that no database can answer: %v", refused)
		}
	})
	for name, args := range map[string][]string{
		"without a database": nil, "with one about other things": {"--ip-database", asn},
	} {
		var out, errs bytes.Buffer
		args = append([]string{"account", "serve", "--database", database, "--listen", "127.0.0.1:0"}, args...)
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		code := run(ctx, args, &console{Out: &out, Err: &errs})
		cancel()
		text := errs.String()
		if code != exitFailed || !strings.Contains(text, "rule "+rule+" (country)") ||
			!strings.Contains(text, "--ip-database FILE") {
			t.Errorf("started %s: exit %d\n%s", name, code, text)
		}
	}
	serving(t, []string{"--database", database, "--ip-database", asn, "--ip-database", country},
		func(base string, _ *sharedBuffer) {
			verdicts := request(t, "POST", base+"/v1/firewall/evaluate", admin, `{"addresses":["127.0.0.2"]}`)
			verdict, _ := verdicts["verdicts"].([]any)[0].(map[string]any)
			if verdict["action"] != "deny" || verdict["rule_id"] != rule || verdict["country"] != "FR" {
				t.Errorf("the verdict of both databases: %v", verdicts)
			}
		})
}

// serving runs an account service for the time of fn.
func serving(t *testing.T, args []string, fn func(base string, log *sharedBuffer)) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log := new(sharedBuffer)
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"account", "serve", "--listen", "127.0.0.1:0"}, args...),
			&console{Out: log, Err: log})
	}()
	var base string
	await(t, "the address in the log", func() bool {
		m := regexp.MustCompile(`listening: address=(\S+)`).FindStringSubmatch(log.String())
		if m != nil {
			base = "http://" + m[1]
		}
		return m != nil
	})
	fn(base, log)
	stop()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("ended with %d\n%s", code, log.String())
		}
	case <-time.After(timeout):
		t.Fatal("did not end")
	}
}
