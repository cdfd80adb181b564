package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// commandTime bounds a command in a container.
const commandTime = 20 * time.Second

// run runs scim-bridge in a container. Input goes to its standard input and is shown nowhere.
func run(ctx context.Context, c *client.Client, id, input string, args ...string) (stdout []byte, code int, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, commandTime, errors.New("the command in the container did not end"))
	defer cancel()
	created, err := c.ExecCreate(ctx, id, client.ExecCreateOptions{
		Cmd: append([]string{"scim-bridge"}, args...), AttachStdin: input != "", AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return nil, 0, explain(err)
	}
	attached, err := c.ExecAttach(ctx, created.ID, client.ExecAttachOptions{})
	if err != nil {
		return nil, 0, explain(err)
	}
	defer attached.Close()
	defer context.AfterFunc(ctx, attached.Close)()
	if input != "" {
		if _, err := io.WriteString(attached.Conn, input); err != nil {
			return nil, 0, fmt.Errorf("writing to the command in the container: %w", err)
		}
		if err := attached.CloseWrite(); err != nil {
			return nil, 0, fmt.Errorf("writing to the command in the container: %w", err)
		}
	}
	var out, stderr bytes.Buffer
	if _, err := stdcopy.StdCopy(&out, &stderr, attached.Reader); err != nil {
		if ctx.Err() != nil {
			err = deploy.Ended(ctx)
		}
		return nil, 0, fmt.Errorf("reading what the command in the container said: %w", err)
	}
	for { // podman says that it runs for a moment after the end of its output
		inspected, err := c.ExecInspect(ctx, created.ID, client.ExecInspectOptions{})
		if err != nil {
			return nil, 0, explain(err)
		}
		if !inspected.Running {
			code = inspected.ExitCode
			break
		}
		select {
		case <-ctx.Done():
			return nil, 0, deploy.Ended(ctx)
		case <-time.After(tick):
		}
	}
	if code != 0 && out.Len() == 0 {
		return nil, code, fmt.Errorf("scim-bridge %s in the container: %s", args[0], strings.TrimSpace(stderr.String()))
	}
	return out.Bytes(), code, nil
}

// askBridge returns what the bridge in a container says at its control socket.
func askBridge(ctx context.Context, c *client.Client, id string) (s control.Status, err error) {
	out, _, err := run(ctx, c, id, "", "status", "--local", "--control", dataDir) // the exit code says if it is healthy
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(out, &s); err != nil {
		return s, fmt.Errorf("reading what the bridge in the container says: %w", err)
	}
	return s, nil
}

// unseal shows the token to the bridge in a container.
func unseal(ctx context.Context, c *client.Client, id string, token session.Token) error {
	out, code, err := run(ctx, c, id, token.Reveal()+"\n", "unseal", dataDir)
	if err == nil && code != 0 {
		err = fmt.Errorf("scim-bridge unseal in the container ended with exit code %d: %s", code, trim(out))
	}
	if err != nil {
		return fmt.Errorf("unsealing the bridge: %w", err)
	}
	return nil
}

// tail returns the last lines of a container's log.
func tail(ctx context.Context, c *client.Client, id string) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTime)
	defer cancel()
	logs, err := c.ContainerLogs(ctx, id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: "12"})
	if err != nil {
		return ""
	}
	defer logs.Close()
	var text bytes.Buffer
	_, _ = stdcopy.StdCopy(&text, &text, io.LimitReader(logs, 64<<10)) // what could be read
	const most = 4 << 10
	lines := strings.TrimSpace(text.String())
	return strings.ToValidUTF8(lines[max(0, len(lines)-most):], "")
}

// withLog adds the end of a container's log to an error.
func withLog(ctx context.Context, c *client.Client, id string, err error) error {
	reason, ok := errors.AsType[*deploy.NotReadyError](err)
	if ok && reason.Log != "" {
		return err
	}
	if lines := tail(ctx, c, id); lines != "" {
		return fmt.Errorf("%w\n\nThe end of the bridge's log:\n%s", err, lines)
	}
	return err
}
