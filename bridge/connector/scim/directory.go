package scim

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/scimurl"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// Config is what a Directory needs. The numbers have defaults.
type Config struct {
	// URL is the far side's base address, as scimurl takes it:
	// "https://scim.example.com/scim/v2".
	URL string
	// Token returns the bearer token of the far side. It is called for each
	// request, so that a new one takes over at once; an empty one means that the
	// bridge is sealed.
	Token func() secret.String
	// Transport reaches the far side; proxy, source address and trusted roots are
	// its own. It must not follow redirects, which would carry the token elsewhere.
	Transport http.RoundTripper
	// UserAgent is program/version.
	UserAgent string
	Log       hclog.Logger // nil logs nothing
	Now       func() time.Time

	// Concurrency is how many requests are under way at once, 8 if zero.
	Concurrency int
	// Rate is how many requests are begun in a second, 50 if zero. As many may be begun at once.
	Rate int
	// IndexAge is how old the index of a far side without filters may be when it
	// says that somebody is not there, 1 min if zero.
	IndexAge time.Duration
	// IndexSize is how many people, or groups, the index has at most, 100,000 if
	// zero. Beyond, each search reads the whole list.
	IndexSize int
}

// A Directory is a SCIM server on the far side of the bridge. It is safe for
// concurrent use.
type Directory struct {
	cfg    Config
	base   string
	limits *limits
	people *collection
	groups *collection

	// closed is closed by Close: reading a whole list outlives the request that needs it.
	closed  chan struct{}
	reading sync.WaitGroup

	learning chan struct{} // has an element while one learns

	mu    sync.Mutex
	state State
	// learned is when the far side was asked what it can do, successfully or not.
	learned time.Time
	batch   int // how many members it takes at a time
	// trusted says of which changes of members the effect was seen.
	trusted map[memberChange]bool
}

var _ bridge.Directory = (*Directory)(nil)

// A collection is one of the far side's two kinds of resources.
type collection struct {
	*Directory
	schema   *schema.Resource
	unique   string // the attribute that is unique without regard to case
	taken    bridge.Code
	list     string // the attribute that lists references
	pageSize int    // see count
	index    *index
	filters  *filters
	sample   *atomic.Pointer[document] // one that was there lately; nil if none was seen
	idTrust  *idTrust                  // in answers to creations
	ids      *keyedLock
	names    *keyedLock
}

// New returns a Directory. It calls nobody yet.
func New(cfg Config) (*Directory, error) {
	base, err := scimurl.Parse(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Token == nil || cfg.Transport == nil {
		return nil, errors.New("a Directory needs a token and a transport")
	}
	if cfg.Log == nil {
		cfg.Log = hclog.NewNullLogger()
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.UserAgent == "" {
		cfg.UserAgent = "scim-bridge"
	}
	setDefault(&cfg.Concurrency, 8)
	setDefault(&cfg.Rate, 50)
	setDefault(&cfg.IndexAge, time.Minute)
	setDefault(&cfg.IndexSize, 100_000)
	d := &Directory{
		cfg: cfg, base: base,
		limits: &limits{
			slots: make(chan struct{}, cfg.Concurrency), rate: rate.NewLimiter(rate.Limit(cfg.Rate), cfg.Rate),
		},
		closed:   make(chan struct{}),
		learning: make(chan struct{}, 1),
		batch:    firstBatch, trusted: make(map[memberChange]bool),
	}
	d.people = d.newCollection(collection{
		schema: schema.User, unique: "userName", taken: bridge.UserNameTaken, list: "groups", pageSize: 100,
	})
	d.groups = d.newCollection(collection{
		schema: schema.Group, unique: "displayName", taken: bridge.GroupNameTaken, list: "members", pageSize: 25,
	})
	return d, nil
}

func (d *Directory) newCollection(c collection) *collection {
	c.Directory, c.index, c.filters = d, newIndex(d.cfg.IndexSize), newFilters()
	c.ids, c.names = newKeyedLock(), newKeyedLock()
	c.sample, c.idTrust = &atomic.Pointer[document]{}, &idTrust{}
	return &c
}

func setDefault[T comparable](value *T, to T) {
	var zero T
	if *value == zero {
		*value = to
	}
}

// Close ends what the Directory does beside requests. It must be called once.
func (d *Directory) Close() {
	close(d.closed)
	d.reading.Wait()
}

// checkEvery is how often Run asks what the far side can do, and with it whether it is there.
const checkEvery = time.Minute

// Run looks at the far side until ctx ends, so that State is right also while nobody asks.
func (d *Directory) Run(ctx context.Context) {
	for {
		d.ready(ctx)
		_, _ = d.people.page(ctx, window{start: 1, count: 1}) // noted
		if !sleep(ctx, checkEvery) {
			return
		}
	}
}
