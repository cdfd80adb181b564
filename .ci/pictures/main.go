// Command pictures takes the README's picture of the status page: of a real bridge that a firewall rule has just
// shut out. It needs bin/scim-bridge and chromium. Its argument is the file to write.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pictures FILE.png")
		os.Exit(2)
	}
	if err := take(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func take(ctx context.Context, file string) (err error) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		return fmt.Errorf("%w: apt-get install chromium", err)
	}
	folder := filepath.Join(os.TempDir(), "example") // the picture shows it
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	b, err := start(ctx, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	cookie, err := b.signIn(ctx)
	if err != nil {
		return err
	}
	if err := b.shutOut(ctx); err != nil {
		return err
	}

	// Chromium has no flag for a cookie.
	target, err := url.Parse(b.address)
	if err != nil {
		return err
	}
	signedIn := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.AddCookie(cookie)
	}})
	defer signedIn.Close()
	path := filepath.Join(folder, "page.png")
	shot := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
		"--user-data-dir="+filepath.Join(folder, "chromium"), "--window-size=900,800", "--screenshot="+path,
		signedIn.URL+"/app")
	if said, err := shot.CombinedOutput(); err != nil {
		return fmt.Errorf("chromium: %w\n%s", err, said)
	}
	return shrink(path, file)
}

// shrink writes a PNG again with its 256 most frequent colours, which are all but some at the edges of letters.
func shrink(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	page, err := png.Decode(in)
	if err != nil {
		return err
	}
	bounds := page.Bounds()
	count := map[color.Color]int{}
	for y := range bounds.Dy() {
		for x := range bounds.Dx() {
			count[page.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int {
		return cmp.Compare(count[b], count[a])
	})
	few := image.NewPaletted(bounds, colours[:min(256, len(colours))])
	draw.Draw(few, bounds, page, bounds.Min, draw.Src)
	var small bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&small, few); err != nil {
		return err
	}
	return os.WriteFile(to, small.Bytes(), 0o644)
}

// A bridge is a scim-bridge dev: an account and the bridge in front of it.
type bridge struct {
	cmd                     *exec.Cmd
	address, account        string
	bearerToken, adminToken string
}

// start starts one and reads its greeting, which has addresses and tokens.
func start(ctx context.Context, folder string) (*bridge, error) {
	b := &bridge{cmd: exec.CommandContext(ctx, filepath.Join("bin", "scim-bridge"), "dev", "--data-dir", folder,
		"--listen", "127.0.0.1:0", "--account-listen", "127.0.0.1:0", "--log-level", "error")}
	b.cmd.Stderr = os.Stderr
	b.cmd.Cancel = func() error { return b.cmd.Process.Signal(syscall.SIGTERM) }
	out, err := b.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := b.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: run make first", err)
	}
	greeting := bufio.NewScanner(out)
	for b.account == "" && greeting.Scan() {
		for pattern, value := range map[*regexp.Regexp]*string{statusPage: &b.address, accountURL: &b.account} {
			if found := pattern.FindStringSubmatch(greeting.Text()); found != nil {
				*value = found[1]
			}
		}
	}
	bearer, err := os.ReadFile(filepath.Join(folder, "bearer-token"))
	admin, err2 := os.ReadFile(filepath.Join(folder, "admin-token"))
	if err := errors.Join(err, err2, greeting.Err()); err != nil || b.address == "" || b.account == "" {
		return nil, errors.Join(errors.New("scim-bridge dev did not start as expected"), err, b.stop())
	}
	b.bearerToken, b.adminToken = strings.TrimSpace(string(bearer)), strings.TrimSpace(string(admin))
	return b, nil
}

// What the greeting of scim-bridge dev has.
var (
	statusPage = regexp.MustCompile(`status page +(\S+)/app`)
	accountURL = regexp.MustCompile(`account_url += "(\S+)"`)
)

func (b *bridge) stop() error {
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return b.cmd.Wait()
}

// signIn signs in at the status page.
func (b *bridge) signIn(ctx context.Context) (*http.Cookie, error) {
	answer, err := send(ctx, b.address+"/app/sign-in", "", "application/x-www-form-urlencoded",
		url.Values{"token": {b.bearerToken}}.Encode())
	if err != nil {
		return nil, err
	}
	if cookies := answer.Cookies(); len(cookies) == 1 {
		return cookies[0], nil
	}
	return nil, fmt.Errorf("signing in at the status page: %s, without a cookie", answer.Status)
}

// shutOut makes a rule that denies the bridge's address, and waits until the bridge has found out.
func (b *bridge) shutOut(ctx context.Context) error {
	answer, err := send(ctx, b.account+"/v1/firewall/rules?allow_lockout=true", b.adminToken, "application/json",
		`{"action":"deny","ip_ranges":["127.0.0.0/8"],"description":"no servers"}`)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusCreated {
		return fmt.Errorf("making the firewall rule: %s", answer.Status)
	}
	answer, err = send(ctx, b.address+"/scim/v2/Users", b.bearerToken, "application/scim+json",
		`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ada@example.com"}`)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusServiceUnavailable {
		return fmt.Errorf("a request of the identity provider to a bridge that is shut out: %s, want 503",
			answer.Status)
	}
	return nil
}

// send posts a body. It follows no redirect.
func send(ctx context.Context, address, token, kind, body string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewBufferString(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", kind)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer, errors.Join(err, answer.Body.Close())
}
