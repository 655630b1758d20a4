// Package witness is the second instrument: it times causes with the monotonic clock, apart from any span, and writes
// them to a file of its own as JSON lines. What it writes is the truth that a recording is judged by.
package witness

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

type requestKey struct{}

type request struct{ id, call string }

// With returns a context whose lines are about the request of this id, and this call of it.
func With(ctx context.Context, id, call string) context.Context {
	return context.WithValue(ctx, requestKey{}, request{id, call})
}

// PassOn puts what With was given into the headers of the next call.
func PassOn(ctx context.Context, headers http.Header) {
	about, _ := ctx.Value(requestKey{}).(request)
	if about.id != "" {
		headers.Set("X-Request-Id", about.id)
	}
	if about.call != "" {
		headers.Set("X-Lab-Call", about.call)
	}
}

var (
	lock  sync.Mutex
	file  *os.File
	owner string
)

// Open appends lines to the file at path; with an empty path nothing is written. This process's own lines are owned
// by `own`, as in origin:orders.
func Open(path, own string) error {
	owner = own
	if path == "" {
		return nil
	}
	var err error
	file, err = os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	return err
}

// Now is CLOCK_MONOTONIC in nanoseconds: the clock of every instrument of the lab.
func Now() int64 {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	return now.Nano()
}

// Own is who owns this process's lines.
func Own() string { return owner }

type line struct {
	Request string `json:"request_id"`
	Call    string `json:"call"`
	Owner   string `json:"owner"`
	Cause   string `json:"cause"`
	Start   int64  `json:"start_ns"`
	End     int64  `json:"end_ns"`
	Source  string `json:"source"`
	Awaited bool   `json:"awaited"`
}

const shortest = 20_000 // ns; what is shorter is the timer's own

// Since writes that from `start` until now this cause of this owner took its time within the request of ctx.
func Since(ctx context.Context, cause, owner string, start int64, source string) {
	Between(ctx, cause, owner, start, Now(), source)
}

// Between is Since with an end of its own.
func Between(ctx context.Context, cause, owner string, start, end int64, source string) {
	if file == nil || (end-start < shortest && start != end) {
		return
	}
	about, _ := ctx.Value(requestKey{}).(request)
	data, err := json.Marshal(line{about.id, about.call, owner, cause, start, end, source, true})
	if err != nil {
		return
	}
	lock.Lock()
	defer lock.Unlock()
	_, _ = file.Write(append(data, '\n'))
}

// Handler times a service's handler; it wraps everything else, the instrumentation included.
func Handler(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := Now()
		ctx := With(r.Context(), r.Header.Get("X-Request-Id"), r.Header.Get("X-Lab-Call"))
		inner.ServeHTTP(w, r.WithContext(ctx))
		Since(ctx, "handler", owner, start, "a timer around the handler")
	})
}
