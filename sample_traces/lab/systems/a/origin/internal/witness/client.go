package witness

import (
	"context"
	"crypto/tls"
	"net/http/httptrace"
	"sort"
	"sync"
)

type part struct {
	cause      string
	start, end int64
}

// call times one attempt of an HTTP call: hooks of net/http, this process's own clock.
type call struct {
	lock     sync.Mutex
	ctx      context.Context
	seam     string
	callee   string
	asked    int64
	open     map[string]int64
	parts    []part
	finished bool
}

// Client returns a context under which an HTTP call to `callee` is timed: dns, connect and tls on the seam, and what
// of the wait for a connection is none of these as pool_wait of the caller.
func Client(ctx context.Context, callee string) context.Context {
	if file == nil {
		return ctx
	}
	c := &call{ctx: ctx, seam: owner + "→" + callee, callee: callee, open: map[string]int64{}}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:           func(string) { c.asked = Now() },
		DNSStart:          func(httptrace.DNSStartInfo) { c.begin("dns") },
		DNSDone:           func(httptrace.DNSDoneInfo) { c.finish("dns") },
		ConnectStart:      func(string, string) { c.begin("connect") },
		ConnectDone:       func(string, string, error) { c.finish("connect") },
		TLSHandshakeStart: func() { c.begin("tls") },
		TLSHandshakeDone:  func(tls.ConnectionState, error) { c.finish("tls") },
		GotConn:           func(got httptrace.GotConnInfo) { c.got(got.Reused) },
		WroteRequest: func(httptrace.WroteRequestInfo) {
			now := Now()
			Between(ctx, "sent", callee, now, now, "the caller's hook after the request was written")
		},
	})
}

func (c *call) begin(cause string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.open[cause] = Now()
}

func (c *call) finish(cause string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.parts = append(c.parts, part{cause, c.open[cause], Now()})
}

// got settles the wait. A connection that was reused was not waited for with a dial of our own, even if we began one.
func (c *call) got(reused bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	now, at := Now(), c.asked
	if c.finished {
		return
	}
	c.finished = true
	if !reused {
		sort.Slice(c.parts, func(i, j int) bool { return c.parts[i].start < c.parts[j].start })
		for _, one := range c.parts {
			if one.start > at {
				Between(c.ctx, "pool_wait", owner, at, one.start, "a timer around the client's wait for a connection")
			}
			if one.end > at {
				Between(c.ctx, one.cause, c.seam, max(one.start, at), one.end, "a timer around the client's "+one.cause)
				at = one.end
			}
		}
	}
	Between(c.ctx, "pool_wait", owner, at, now, "a timer around the client's wait for a connection")
}
