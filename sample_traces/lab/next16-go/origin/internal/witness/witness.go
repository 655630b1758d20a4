// Package witness is the second instrument: it times causes with the monotonic clock, apart from any span, and writes
// them to a file of its own as JSON lines. What it writes is the truth that a recording is judged by.
package witness

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"sync"
	"time"
)

type requestKey struct{}

type request struct{ id, path string }

// WithRequest returns a context whose notes are about the request of this id, and this call of it.
func WithRequest(ctx context.Context, id, path string) context.Context {
	return context.WithValue(ctx, requestKey{}, request{id, path})
}

// RequestOf is the id that WithRequest gave, or the empty string.
func RequestOf(ctx context.Context) string {
	about, _ := ctx.Value(requestKey{}).(request)
	return about.id
}

var (
	lock sync.Mutex
	file *os.File
)

// Open appends notes to the file at path; with an empty path nothing is noted.
func Open(path string) error {
	if path == "" {
		return nil
	}
	var err error
	file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return err
}

type note struct {
	Path    string `json:"path"`
	Request string `json:"request_id"`
	What    string `json:"what"`
	Nanos   int64  `json:"ns"`
}

// Note writes that `what` took this long within the request of ctx.
func Note(ctx context.Context, what string, took time.Duration) {
	if file == nil {
		return
	}
	about, _ := ctx.Value(requestKey{}).(request)
	line, err := json.Marshal(note{about.path, about.id, what, took.Nanoseconds()})
	if err != nil {
		return
	}
	lock.Lock()
	defer lock.Unlock()
	_, _ = file.Write(append(line, '\n'))
}

// Dial wraps a dial function: it notes `connect`, and for TLS connections `tls`, measured at the socket: from the
// first byte of the client's hello to the flush of its Finished, which is the client's second write.
func Dial(inner func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		started := time.Now()
		conn, err := inner(ctx, network, address)
		if err != nil {
			return nil, err
		}
		Note(ctx, "connect", time.Since(started))
		return &timedConn{Conn: conn, ctx: ctx}, nil
	}
}

type timedConn struct {
	net.Conn
	ctx    context.Context
	writes int
	hello  time.Time
	secure bool
}

// handshakeRecord is the content type of a TLS record that carries a hello (RFC 8446 §5.1).
var handshakeRecord = []byte{22, 3}

func (c *timedConn) Write(data []byte) (int, error) {
	c.writes++
	if c.writes == 1 {
		c.hello, c.secure = time.Now(), bytes.HasPrefix(data, handshakeRecord)
	}
	n, err := c.Conn.Write(data)
	if c.writes == 2 && c.secure {
		Note(c.ctx, "tls", time.Since(c.hello))
	}
	return n, err
}
