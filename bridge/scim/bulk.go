package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// maxBulkOperations bounds a bulk request. Clients also read it as the number
// of operations that fit into one PATCH.
const maxBulkOperations = 1000

const (
	bulkResponseURI = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
	bulkIDPrefix    = "bulkId:"
)

// A bulkOperation is one request within a bulk request (RFC 7644 section 3.7).
type bulkOperation struct {
	method, id, path, version string
	data                      any
	needs                     []string    // bulkIds that it refers to
	later                     any         // attributes left out of data for the time being; nil for none
	result                    *bulkResult // nil until it was carried out
}

type bulkResult struct {
	Method   string          `json:"method"`
	BulkID   string          `json:"bulkId,omitempty"`
	Location string          `json:"location,omitempty"`
	Version  string          `json:"version,omitempty"`
	Status   string          `json:"status"`
	Response json.RawMessage `json:"response,omitempty"` // of an error

	failed bool
}

// postBulk carries out many requests. Each is atomic, the whole is not, and
// each is answered for itself.
func postBulk(x *exchange) error {
	body, err := x.decodeObject(maxLargeBody)
	if err != nil {
		return err
	}
	b, err := parseBulk(body)
	if err != nil {
		return err
	}
	b.exchange = x
	x.extendDeadline()
	b.run()
	answer := struct {
		Schemas    []string      `json:"schemas"`
		Operations []*bulkResult `json:"Operations"`
	}{Schemas: []string{bulkResponseURI}, Operations: []*bulkResult{}}
	for _, op := range b.operations {
		if op.result != nil { // not reached after failOnErrors
			answer.Operations = append(answer.Operations, op.result)
		}
	}
	return x.answerDocument(answer)
}

// A bulk is a bulk request under way.
type bulk struct {
	*exchange
	operations []*bulkOperation
	failOn     int64                     // errors after which to stop; 0 for never
	makers     map[string]*bulkOperation // by bulkId, the POSTs that others refer to
	made       map[string]string         // by bulkId, the id of the new resource
}

func parseBulk(body map[string]any) (*bulk, error) {
	b := &bulk{makers: make(map[string]*bulkOperation), made: make(map[string]string)}
	var list []any
	for name, value := range body {
		switch strings.ToLower(name) {
		case "operations":
			list, _ = value.([]any)
			if one, ok := value.(map[string]any); ok {
				list = []any{one}
			}
		case "failonerrors":
			if value == nil {
				continue
			}
			n, err := integer("failOnErrors", fmt.Sprint(value))
			if err != nil || n != nil && *n < 0 {
				return nil, schema.Errorf(schema.InvalidValue, "failOnErrors must be a whole number")
			}
			if n != nil {
				b.failOn = *n
			}
		}
	}
	if len(list) == 0 {
		return nil, syntaxFault(`a bulk request needs "Operations", a list of at least one operation`)
	}
	if len(list) > maxBulkOperations {
		return nil, &refusal{Status: http.StatusRequestEntityTooLarge, Detail: fmt.Sprintf("the bulk request has %d "+
			"operations; send at most %d at once", len(list), maxBulkOperations)}
	}
	for i, element := range list {
		op, err := parseBulkOperation(element)
		if err != nil {
			return nil, schema.Errorf(schema.InvalidSyntax, "operation %d: %s", i+1, err)
		}
		if op.id != "" {
			if b.makers[op.id] != nil {
				return nil, schema.Errorf(schema.InvalidSyntax,
					"operation %d: bulkId %q is used twice", i+1, truncate(op.id))
			}
			b.makers[op.id] = op
		}
		b.operations = append(b.operations, op)
	}
	return b, nil
}

func parseBulkOperation(element any) (*bulkOperation, error) {
	object, ok := element.(map[string]any)
	if !ok {
		return nil, errors.New("it is not an object")
	}
	var op bulkOperation
	texts := map[string]*string{"method": &op.method, "bulkid": &op.id, "path": &op.path, "version": &op.version}
	for name, value := range object {
		name = strings.ToLower(name)
		if name == "data" {
			op.data = value
			continue
		}
		into, known := texts[name]
		if !known || value == nil {
			continue
		}
		switch v := value.(type) {
		case string:
			*into = v
		case json.Number: // a counter as bulkId
			*into = v.String()
		default:
			return nil, fmt.Errorf("%s must be a string", name)
		}
	}
	op.method = strings.ToUpper(op.method)
	switch op.method {
	case http.MethodPost:
		// RFC 7644 wants a bulkId here; without one the operation merely
		// cannot be referred to.
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return nil, errors.New("method must be POST, PUT, PATCH or DELETE")
	}
	if op.path == "" {
		return nil, errors.New("it has no path")
	}
	op.path = fromEndpoint(op.path)
	op.references(func(id string) string {
		op.needs = append(op.needs, id)
		return ""
	})
	return &op, nil
}

// fromEndpoint returns a path from its endpoint on. Clients copy meta.location,
// before whose endpoint the bridge's address stands, or that of a proxy, which
// may have a prefix of its own. A path that is none of a resource is left as
// it is.
func fromEndpoint(path string) string {
	resource, query, asks := strings.Cut(path, "?")
	segments := strings.Split(strings.TrimRight(resource, "/"), "/")
	endpoint := slices.IndexFunc(segments, func(segment string) bool {
		return strings.EqualFold(segment, "Users") || strings.EqualFold(segment, "Groups")
	})
	if endpoint < 0 || endpoint < len(segments)-2 {
		return path
	}
	path = "/" + strings.Join(segments[endpoint:], "/")
	if asks {
		path += "?" + query
	}
	return path
}

// run carries out the operations in order, but those that refer to a resource
// which a later one makes after that. Where none can be first, one is made
// without its references. It stops after failOn errors.
func (b *bulk) run() {
	failures := int64(0)
	var open []*bulkOperation // made without their references
	for pending := b.operations; len(pending) > 0; {
		var waiting []*bulkOperation
		for _, op := range pending {
			if b.failOn > 0 && failures >= b.failOn || b.r.Context().Err() != nil {
				for _, op := range open {
					op.result = b.failure(op, &refusal{Status: http.StatusConflict, Detail: "the resource was made, " +
						"but not what it refers to; it lacks its references"})
				}
				return
			}
			if b.waits(op) {
				waiting = append(waiting, op)
				continue
			}
			if op.result = b.do(op); op.result.failed {
				failures++
			}
			if op.later != nil && !op.result.failed {
				open = append(open, op)
			}
			open = slices.DeleteFunc(open, b.complete)
		}
		if len(waiting) == len(pending) && !slices.ContainsFunc(waiting, b.separate) {
			for _, op := range waiting {
				op.result = b.failure(op, &refusal{Status: http.StatusConflict, Detail: "the operation refers to one " +
					"that refers to it in turn; make the resources first and join them by PATCH"})
			}
			return
		}
		pending = waiting
	}
}

// waits reports whether op refers to an operation that is still to be done.
func (b *bulk) waits(op *bulkOperation) bool {
	return slices.ContainsFunc(op.needs, func(id string) bool {
		maker := b.makers[id]
		return maker != nil && maker.result == nil
	})
}

// separate breaks a circle: it leaves out of a POST the attributes with
// references that cannot be resolved yet. It reports whether that was possible:
// a string, such as a name, cannot be added later.
func (b *bulk) separate(op *bulkOperation) bool {
	data, ok := op.data.(map[string]any)
	if !ok || op.method != http.MethodPost || op.id == "" {
		return false
	}
	rest, later := make(map[string]any, len(data)), make(map[string]any)
	for name, value := range data {
		open := false
		resolveReferences(value, func(id string) string {
			open = open || b.made[id] == ""
			return ""
		})
		switch _, text := value.(string); {
		case !open:
			rest[name] = value
		case text:
			return false
		default:
			later[name] = value
		}
	}
	op.data, op.later, op.needs = rest, later, nil
	return true
}

// complete adds what separate left out, as soon as that can be resolved; true
// means that nothing is left to do. What another client has added to the
// resource meanwhile stays.
func (b *bulk) complete(op *bulkOperation) bool {
	missing := false
	value := resolveReferences(op.later, func(id string) string {
		maker := b.makers[id]
		missing = missing || maker != nil && maker.result == nil
		return b.made[id]
	})
	if missing {
		return false
	}
	addition := &bulkOperation{method: http.MethodPatch, id: op.id,
		path: strings.Trim(op.path, "/") + "/" + b.made[op.id],
		data: map[string]any{"Operations": []any{map[string]any{"op": "add", "value": value}}}}
	result := b.do(addition)
	if result.failed {
		result.Method = op.method
		op.result = result
	} else {
		op.result.Version = result.Version
	}
	return true
}

// references replaces each bulkId that op refers to by what resolve says, in
// a copy of its path and data.
func (op *bulkOperation) references(resolve func(id string) string) (path string, data any) {
	segments := strings.Split(op.path, "/")
	for i, segment := range segments {
		if id, ok := strings.CutPrefix(segment, bulkIDPrefix); ok {
			segments[i] = url.PathEscape(resolve(id))
		}
	}
	return strings.Join(segments, "/"), resolveReferences(op.data, resolve)
}

func resolveReferences(value any, resolve func(string) string) any {
	switch v := value.(type) {
	case string:
		if id, ok := strings.CutPrefix(v, bulkIDPrefix); ok {
			return resolve(id)
		}
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = resolveReferences(element, resolve)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, member := range v {
			out[key] = resolveReferences(member, resolve)
		}
		return out
	}
	return value
}

// do carries out one operation as if it had come alone.
func (b *bulk) do(op *bulkOperation) *bulkResult {
	missing := ""
	path, data := op.references(func(id string) string {
		made, ok := b.made[id]
		if !ok {
			missing = id
		}
		return made
	})
	if missing != "" {
		return b.failure(op, &refusal{Status: http.StatusConflict, Kind: schema.InvalidValue,
			Detail: fmt.Sprintf("no resource was made under bulkId %q", truncate(missing))})
	}
	r, err := b.request(op, path, data)
	if err != nil {
		return b.failure(op, err)
	}
	w := &httpkit.Recorder{}
	x := &exchange{server: b.server, w: w, r: r, base: b.base, large: true} // whatever it holds is held already
	x.record.began = time.Now()
	failed := b.toRefusal(r, x.dispatch())
	x.keepRecord(failed)
	if failed != nil {
		return b.failure(op, failed)
	}
	result := &bulkResult{Method: op.method, BulkID: op.id, Status: strconv.Itoa(w.Status()),
		Version: w.Header().Get("ETag")}
	result.Location = w.Header().Get("Location")
	if result.Location == "" {
		result.Location = b.base + r.URL.EscapedPath()
	}
	if op.method == http.MethodPost {
		var made struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(w.Body.Bytes(), &made) == nil && op.id != "" {
			b.made[op.id] = made.ID
		}
	}
	return result
}

func (b *bulk) request(op *bulkOperation, path string, data any) (*http.Request, *refusal) {
	body, err := json.Marshal(data)
	if err != nil || op.method == http.MethodDelete {
		body = nil // a decoded value always marshals
	}
	r, err := http.NewRequestWithContext(b.r.Context(), op.method, "/"+strings.Trim(path, "/"), bytes.NewReader(body))
	if err != nil {
		return nil, &refusal{Status: http.StatusBadRequest, Kind: schema.InvalidValue, Detail: "the path is not " +
			"properly percent-encoded"}
	}
	if op.version != "" {
		r.Header.Set("If-Match", op.version)
	}
	return r, nil
}

// dispatch is serve for a request within a bulk request, of which only people
// and groups are changed.
func (x *exchange) dispatch() error {
	_, segments, err := split(x.r.URL)
	if err != nil {
		return err
	}
	if len(segments) == 0 || !strings.EqualFold(segments[0], "Users") && !strings.EqualFold(segments[0], "Groups") ||
		strings.EqualFold(segments[len(segments)-1], ".search") {
		return &refusal{Status: http.StatusBadRequest, Detail: "the path of an operation must be that of users or " +
			"groups"}
	}
	methods := x.route(segments)
	if methods == nil {
		return badPath(segments)
	}
	handle, ok := methods[x.r.Method]
	if !ok {
		return methodNotAllowed(x.r.Method, methods)
	}
	return handle(x)
}

// failure is the result of an operation that failed. It names the resource,
// but for a POST, which made none (RFC 7644 section 3.7.3).
func (b *bulk) failure(op *bulkOperation, e *refusal) *bulkResult {
	result := &bulkResult{Method: op.method, BulkID: op.id, Status: strconv.Itoa(e.Status), Response: e.body(),
		failed: true}
	if op.method != http.MethodPost {
		result.Location = b.base + "/" + strings.Trim(op.path, "/")
	}
	return result
}
