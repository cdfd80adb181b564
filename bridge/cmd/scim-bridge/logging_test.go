package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// Log pipelines that were built for the vendor's bridge find its keys.
func TestJSONLinesHaveTheVendorsKeys(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger, log, _ := newLogger(&out, "info", "json", "")
	logger.Debug("below the level")
	logger.Named("http").With("request_id", "r1").Warn("a <request>", "client",
		netip.MustParseAddr("192.0.2.7"), "status",
		200, "ok", true,
		"error", errors.New("it \"failed\""), "took", 1500*time.Millisecond, "message",
		"another", "odd", make(chan int))
	if n := strings.Count(out.String(), "\n"); n != 1 || !strings.HasPrefix(out.String(), `{"time":"`) {
		t.Fatalf("%d lines: %s", n, out.String())
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	at, err := time.Parse(time.RFC3339, got["time"].(string))
	if err != nil || time.Since(at) > time.Hour || at.Location() != time.UTC {
		t.Errorf("the time is %v", got["time"])
	}
	for key, want := range map[string]any{
		"level": "warn", "message": "a <request>", "logger": "scim-bridge.http", "client": "192.0.2.7", "status": 200.0,
		"ok":    true,
		"error": `it "failed"`, "took": "1.5s", "message_": "another", "request_id": "r1",
	} {
		if got[key] != want {
			t.Errorf("%s is %#v, want %#v", key, got[key], want)
		}
	}
	var kept bytes.Buffer
	if _, err := log.WriteTo(&kept); err != nil || !strings.Contains(kept.String(), "below the level") ||
		!strings.Contains(kept.String(), "a <request>") {
		t.Errorf("the kept log has %v %s", err, kept.String())
	}
}

func TestPrettyLogHasNoColoursWithNO_COLOR(t *testing.T) {
	for _, row := range []struct {
		name, value string
		coloured    bool
	}{
		{"without it", "", true}, {"with it", "1", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv("NO_COLOR", row.value)
			var out bytes.Buffer
			logger, _, _ := newLogger(&out, "info", "pretty", "")
			logger.Warn("a line", "key", "value")
			if got := strings.Contains(out.String(), "\x1b["); got != row.coloured || out.Len() == 0 {
				t.Errorf("the line is %q", out.String())
			}
		})
	}
}

// What one part writes, another reads.
func TestDiagnoseReadsEveryFormatOfOurLog(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json", "pretty"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			logger, _, closeLog := newLogger(&out, "info", format, "")
			logger.Named("connector").Error(problem.LogFirewallBlocked, problem.LogKey, "firewall_blocked", "address",
				"192.0.2.7", "rule_id", "fwr 1", "attempts", 1)
			logger.Named("http").Info("request", "user_agent", "AuthWrap failed to generateNewSession")
			closeLog()
			d, err := problem.Diagnose(&out)
			if err != nil || len(d.Problems) != 1 || len(d.Harmless) != 0 {
				t.Fatalf("found %+v, %v", d, err)
			}
			p := d.Problems[0]
			if p.Code != problem.FirewallBlocked || p.Details["address"] != "192.0.2.7" ||
				p.Details["rule_id"] != "fwr 1" ||
				p.Terraform == "" || p.Since.IsZero() {
				t.Errorf("found %+v", p)
			}
		})
	}
}
